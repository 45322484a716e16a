#include <catch2/catch.hpp>

#include "act/settle.h"
#include "sim/act/arrival_world.h"

namespace virtseer::sim {
namespace {

using State = Presence::State;
using Job = Presence::Job;
using Call = platform::FakeActions::Call;

bool advises(const Operation& operation, const std::string& words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& line) { return line.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE("a VM comes, its source is off, it is confirmed and handed over") {
  ArrivalWorld world;
  world.reserve(ArrivalWorld::order()).value();
  world.comes();
  CHECK(world.operation().state == OperationState::migrating);
  world.time.run(Millis(3'000));
  world.switchesOver();
  world.time.run(Millis(1'000));
  CHECK(world.operation().state == OperationState::migrating);

  world.sourceIs(State::off);
  world.time.run(Millis(600));

  CHECK(world.operation().state == OperationState::verifying);
  CHECK(world.operation().confirmed);
  CHECK(world.journal.kept.at("m-1").confirmed);
  CHECK(world.told("arrival.confirmed") == 1);
  // While it is verified it is not to be moved on.
  CHECK(world.arrivals->flights().size() == 1);

  PastMove move;
  move.from = ArrivalWorld::kSource;
  move.to = ArrivalWorld::kHere;
  CHECK(world.commit({.autostart = true, .moves = {move}}));

  CHECK(world.operation().state == OperationState::done);
  const auto& steps = world.operation().steps;
  const auto handed = std::ranges::find(steps, OperationState::committing, &OperationStep::state);
  REQUIRE(handed != steps.end());
  CHECK(handed->note == "the daemon of a has handed it over");
  CHECK(world.here.vm(ArrivalWorld::kVm).definition.autostart);
  CHECK(world.adopted == std::vector{move});
  CHECK(world.told("arrival.done") == 1);
  CHECK(world.arrivals->flights().empty());
  CHECK(world.arrivals->reservations().empty());
  // The answer was lost: the source says it again.
  CHECK(world.commit({.autostart = true, .moves = {move}}));
  CHECK(world.runs());
}

TEST_CASE("an incoming VM that nobody asked room for is none of our business") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.here.add(ArrivalWorld::kVm, "web");
  world.lifecycle();
  world.time.run(Millis(60'000));
  CHECK(world.runs());
  CHECK(world.source->calls().empty());
  CHECK(world.journal.history.empty());
}

TEST_CASE("a copy runs here unheard for 10 s, and not a moment less, before it is suspended") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.arrives();

  world.time.run(Millis(9'900));
  CHECK(world.runs());
  CHECK_FALSE(world.arrivals->suspended(ArrivalWorld::kVm));

  world.time.run(Millis(100));
  CHECK(world.stateHere() == State::paused);
  CHECK(world.arrivals->suspended(ArrivalWorld::kVm));
  CHECK(world.operation().state == OperationState::uncertain);
  CHECK(advises(world.operation(), "if you are sure that a is off: virsh resume web"));
  REQUIRE(world.told("arrival.suspended") == 1);
  CHECK(world.event("arrival.suspended").severity == Severity::error);
}

TEST_CASE("the time counts from when it runs, not from when it began to come") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.reserve(ArrivalWorld::order()).value();
  world.comes();
  world.time.run(Millis(30'000));
  world.switchesOver();
  world.time.run(Millis(9'900));
  CHECK(world.runs());
  world.time.run(Millis(100));
  CHECK_FALSE(world.runs());
}

TEST_CASE("the claim is on the disk before a copy is suspended") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.arrives();
  world.journal.before_write = [&](const Operation& operation) {
    if (operation.suspended) CHECK(world.here.count("suspend") <= 1);
    if (world.here.count("suspend") == 0) CHECK(world.runs());
  };
  world.here.hold(Call::suspend);
  world.time.run(act::kUnheard);
  REQUIRE(world.here.held(Call::suspend) == 1);
  CHECK(world.runs());
  CHECK(world.journal.kept.at("m-1").suspended);
  world.here.release(Call::suspend);
  world.time.settle();
  CHECK_FALSE(world.runs());
  world.journal.before_write = nullptr;
}

TEST_CASE("what cannot be written down is not done, and is done once it can be") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.arrives();
  world.journal.failure = Error{Code::unreachable, "the store does not serve"};
  world.time.run(Millis(15'000));
  CHECK(world.here.count("suspend") == 0);
  CHECK(world.runs());
  world.journal.failure.reset();
  world.time.run(Millis(1'000));
  CHECK_FALSE(world.runs());
}

TEST_CASE("a refused connection to libvirt's port is an answer: nothing is suspended") {
  ArrivalWorld world;
  world.arrives();
  world.source->silent = true;
  world.time.run(Millis(120'000));
  CHECK(world.runs());
  CHECK(world.operation().state == OperationState::uncertain);
  world.sourceIsBack();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  CHECK(world.operation().confirmed);
}

TEST_CASE("a source's daemon that answers with an error is not silent") {
  ArrivalWorld world;
  world.source->port_answers = false;
  world.source->on_vm = [](Uuid) -> boost::asio::awaitable<Result<RemoteVm>> {
    co_return fail(Code::failed, "something is broken here");
  };
  world.arrives();
  world.time.run(Millis(60'000));
  CHECK(world.runs());
}

TEST_CASE("a question that is never answered is given up in time") {
  ArrivalWorld world;
  world.source->port_answers = false;
  world.source->on_vm = [&](Uuid) -> boost::asio::awaitable<Result<RemoteVm>> {
    co_await world.time.pause(std::chrono::hours(1));
    co_return fail(Code::timeout, "too late");
  };
  world.arrives();
  world.time.run(Millis(9'900));
  CHECK(world.runs());
  world.time.run(Millis(700));
  CHECK_FALSE(world.runs());
}

TEST_CASE("a cut link is silence: a question that was given up is no answer") {
  ArrivalWorld world;
  world.arrives();
  world.linkIsCut();
  world.time.run(Millis(9'900));
  CHECK(world.runs());
  CHECK_FALSE(world.arrivals->suspended(ArrivalWorld::kVm));
  world.time.run(Millis(4'000));
  CHECK(world.stateHere() == State::paused);
  CHECK(world.arrivals->suspended(ArrivalWorld::kVm));
  CHECK(world.told("arrival.suspended") == 1);

  SECTION("until the source says that it is off there") {
    world.sourceIsBack();
    world.sourceIs(State::off);
    world.time.run(Millis(6'000));
    CHECK(world.runs());
    CHECK(world.operation().confirmed);
  }
  SECTION("or that it runs there") {
    world.sourceIsBack();
    world.sourceIs(State::running);
    world.time.run(Millis(6'000));
    CHECK(world.stateHere() == State::absent);
    CHECK(world.operation().state == OperationState::failed);
  }
}

TEST_CASE("a link that is cut before a VM runs here is silence for 10 s, and not much longer") {
  ArrivalWorld world;
  world.linkIsCut();
  world.arrives();
  world.time.run(Millis(9'900));
  CHECK(world.runs());
  world.time.run(Millis(200));
  CHECK(world.stateHere() == State::paused);
}

TEST_CASE("a slow daemon whose port answers is not silent") {
  ArrivalWorld world;
  world.source->on_vm = [&](Uuid) -> boost::asio::awaitable<Result<RemoteVm>> {
    co_await world.time.pause(std::chrono::hours(1));
    co_return fail(Code::timeout, "too late");
  };
  world.arrives();
  world.time.run(Millis(60'000));
  CHECK(world.runs());
}

TEST_CASE("source silent, then back and off: what was suspended goes on and is confirmed") {
  ArrivalWorld world;
  world.isSuspended();
  world.time.run(Millis(60'000));
  CHECK(world.stateHere() == State::paused);

  world.sourceIsBack();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));

  CHECK(world.runs());
  CHECK(world.operation().confirmed);
  CHECK_FALSE(world.operation().suspended);
  CHECK(world.operation().advice.empty());
  CHECK(world.told("arrival.resumed") == 1);
}

TEST_CASE("source silent, then back with its copy paused for long: this one goes on") {
  ArrivalWorld world;
  world.isSuspended();
  world.sourceIsBack();
  world.sourceIs(State::paused, Job::migration_out);
  world.time.run(Millis(3'000));
  CHECK(world.stateHere() == State::paused);

  world.sourceIs(State::paused);
  world.time.run(act::kOutOfDate - Millis(500));
  CHECK(world.stateHere() == State::paused);
  world.time.run(Millis(1'500));
  CHECK(world.runs());
  CHECK_FALSE(world.operation().confirmed);

  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  CHECK(world.operation().confirmed);
}

TEST_CASE("a source that stands still for a moment before libvirt resumes it there ends this one") {
  ArrivalWorld world;
  world.isSuspended();
  world.sourceIsBack();
  world.sourceIs(State::paused);
  world.time.run(Millis(6'000));
  // What was heard before a silence does not count after it.
  world.sourceFallsSilent();
  world.time.run(Millis(6'000));
  world.sourceIsBack();
  world.time.run(Millis(6'000));
  CHECK(world.stateHere() == State::paused);
  CHECK(world.here.count("resume") == 0);

  world.sourceIs(State::running);
  world.time.run(Millis(3'000));
  CHECK(world.stateHere() == State::absent);
  CHECK(world.operation().state == OperationState::failed);
}

TEST_CASE("source silent, then back and running: the copy here is ended and leaves nothing") {
  ArrivalWorld world;
  world.isSuspended();
  world.sourceIsBack();
  world.sourceIs(State::running);
  world.time.run(Millis(1'000));

  CHECK(world.stateHere() == State::absent);
  CHECK(world.here.count("destroy") == 1);
  CHECK(world.here.count("undefine") == 1);
  CHECK(world.operation().state == OperationState::failed);
  CHECK(world.operation().message == "web runs at a, and not here");
  REQUIRE(world.told("arrival.destroyed") == 1);
  CHECK(world.event("arrival.destroyed").severity == Severity::error);
  CHECK_FALSE(world.arrivals->expects(ArrivalWorld::kVm));
  CHECK(world.arrivals->reservations().empty());
}

TEST_CASE("the lost last word without silence: the source runs again, so this copy is ended") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::running);
  world.time.run(Millis(1'900));
  CHECK(world.runs());
  world.time.run(Millis(1'000));
  CHECK(world.stateHere() == State::absent);
  CHECK(world.operation().state == OperationState::failed);
}

TEST_CASE("a source that is seen running for a moment at switch-over ends nothing") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::running);
  world.time.run(Millis(1'500));
  world.sourceIs(State::paused, Job::migration_out);
  world.time.run(Millis(1'000));
  world.sourceIs(State::running);
  world.time.run(Millis(1'500));
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  CHECK(world.runs());
  CHECK(world.operation().confirmed);
}

TEST_CASE("the only definition there is stays here when the copy is ended") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::running, Job::none, false);
  world.time.run(Millis(3'000));
  CHECK(world.stateHere() == State::off);
  CHECK(world.here.count("undefine") == 0);
  CHECK(world.operation().state == OperationState::failed);
  CHECK(advises(world.operation(), "virsh undefine web"));
}

TEST_CASE("the end of a copy goes on after a failure in the middle of it") {
  ArrivalWorld world;
  world.arrives();
  world.here.failNext(Call::destroy, {Code::timeout, "libvirt is busy"});
  world.here.failNext(Call::undefine, {Code::timeout, "libvirt is busy"});
  world.sourceIs(State::running);
  world.time.run(Millis(6'000));
  CHECK(world.stateHere() == State::absent);
  CHECK(world.operation().state == OperationState::failed);
}

TEST_CASE("while our own libvirt is silent nothing is done") {
  ArrivalWorld world;
  world.arrives();
  world.sourceFallsSilent();
  world.here.disconnect("libvirtd is away");
  const auto before = world.journal.history.size();
  world.time.run(Millis(60'000));
  CHECK(world.journal.history.size() == before);
  CHECK(world.here.count("suspend") == 0);
  world.here.reconnect();
  world.time.run(Millis(1'000));
  CHECK_FALSE(world.runs());
}

TEST_CASE("a person who resumes it is believed") {
  ArrivalWorld world;
  world.isSuspended();
  world.here.vm(ArrivalWorld::kVm).presence.state = State::running;
  world.lifecycle();
  world.time.run(Millis(1'000));

  CHECK(world.runs());
  CHECK(world.operation().confirmed);
  CHECK_FALSE(world.operation().suspended);
  CHECK(world.operation().message.find("somebody resumed it") != std::string::npos);
  world.time.run(Millis(60'000));
  CHECK(world.runs());
  CHECK(world.here.count("suspend") == 1);
}

TEST_CASE("a person who was wrong is told that two copies run") {
  ArrivalWorld world;
  world.isSuspended();
  world.here.vm(ArrivalWorld::kVm).presence.state = State::running;
  world.time.run(Millis(3'000));
  REQUIRE(world.operation().confirmed);

  world.sourceIsBack();
  world.sourceIs(State::running);
  world.time.run(Millis(8'000));

  CHECK(world.operation().state == OperationState::needs_person);
  CHECK(advises(world.operation(), "virsh destroy web"));
  CHECK(world.told("arrival.conflict") == 1);
  CHECK(world.here.count("destroy") == 0);
}

TEST_CASE("a suspension that failed is not taken for a person's resuming") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.arrives();
  world.here.failNext(Call::suspend, {Code::timeout, "libvirt is busy"}, 3);
  world.time.run(Millis(11'000));
  CHECK_FALSE(world.operation().confirmed);
  world.time.run(Millis(2'000));
  CHECK(world.stateHere() == State::paused);
  CHECK_FALSE(world.operation().confirmed);
  CHECK(world.told("arrival.suspended") == 1);
}

TEST_CASE("a suspension that took effect, though libvirt's answer was lost, is known as ours") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.arrives();
  world.here.loseReply(Call::suspend, {Code::timeout, "libvirt is busy"});
  world.time.run(Millis(11'000));
  CHECK(world.stateHere() == State::paused);
  CHECK(world.told("arrival.suspended") == 1);
  world.sourceIsBack();
  world.sourceIs(State::off);
  world.time.run(Millis(1'500));
  CHECK(world.runs());
  CHECK(world.operation().confirmed);
}

}  // namespace virtseer::sim
