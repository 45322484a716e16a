#include <catch2/catch.hpp>

#include "sim/act/arrival_world.h"

namespace virtseer::sim {
namespace {

using State = Presence::State;
using Call = platform::FakeActions::Call;

bool advises(const Operation& operation, const std::string& words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& line) { return line.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE("a VM that was confirmed is not suspended, however silent its source falls") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  REQUIRE(world.operation().confirmed);
  world.sourceFallsSilent();
  world.time.run(Millis(600'000));
  CHECK(world.runs());
  CHECK(world.operation().state == OperationState::verifying);
}

TEST_CASE("a source that never gives its last word leaves a VM that runs, with advice") {
  ArrivalWorld world;
  world.time.step = Millis(10'000);
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(10'000));
  REQUIRE(world.operation().confirmed);
  world.sourceFallsSilent();
  world.time.run(std::chrono::hours(1) + std::chrono::minutes(1));
  CHECK(world.operation().state == OperationState::done);
  CHECK(advises(world.operation(), "virsh autostart web"));
  world.sourceIsBack();
  CHECK(world.commit({.autostart = true, .moves = {}}));
  CHECK(world.here.vm(ArrivalWorld::kVm).definition.autostart);
}

TEST_CASE("a source whose half has ended without its last word is not waited for") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  Operation there;
  there.id = "m-1";
  there.vm = ArrivalWorld::kVm;
  there.state = OperationState::verifying;
  world.source->on_operation = [&](std::string) -> boost::asio::awaitable<Result<Operation>> {
    co_return there;
  };
  world.time.run(Millis(60'000));
  REQUIRE(world.operation().confirmed);
  CHECK(world.operation().state == OperationState::verifying);
  SECTION("of another VM") {
    there.vm = ArrivalWorld::uuid(2);
    there.state = OperationState::needs_person;
    world.time.run(Millis(60'000));
    CHECK(world.operation().state == OperationState::verifying);
  }
  SECTION("and the VM runs here") {
    there.state = OperationState::needs_person;
    world.time.run(Millis(30'000));
    CHECK(world.operation().state == OperationState::done);
    CHECK(advises(world.operation(), "virsh autostart web"));
    CHECK(advises(world.operation(), "virsh undefine web"));
    CHECK(world.told("arrival.done") == 1);
    CHECK(world.arrivals->flights().empty());
  }
  SECTION("and the VM was shut down here") {
    world.here.vm(ArrivalWorld::kVm).presence = {
        .state = State::off, .defined = true, .reason = "shutdown"};
    there.state = OperationState::needs_person;
    world.time.run(Millis(30'000));
    CHECK(world.operation().state == OperationState::needs_person);
    CHECK_THAT(world.operation().message, Catch::StartsWith("it is off here"));
    CHECK(advises(world.operation(), "start it at one host only"));
    CHECK(advises(world.operation(), "make sure first that a does not run it"));
    CHECK(advises(world.operation(), "undefine it there"));
    CHECK(world.told("arrival.done") == 0);
    CHECK(world.told("arrival.failed") == 1);
    CHECK(world.arrivals->flights().empty());
  }
  SECTION("and the VM stands still here") {
    world.here.vm(ArrivalWorld::kVm).presence = {
        .state = State::paused, .defined = true, .reason = "I/O error"};
    there.state = OperationState::needs_person;
    world.time.run(Millis(30'000));
    CHECK(world.operation().state == OperationState::needs_person);
    CHECK_THAT(world.operation().message, Catch::StartsWith("it is paused here"));
    CHECK(advises(world.operation(), "only once you have made sure that a does not run it"));
    CHECK(world.stateHere() == State::paused);
    CHECK(world.arrivals->flights().empty());
  }
}

TEST_CASE("a source that never gives its last word leaves a VM that stands still to a person") {
  ArrivalWorld world;
  world.time.step = Millis(10'000);
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(10'000));
  REQUIRE(world.operation().confirmed);
  world.sourceFallsSilent();
  world.here.vm(ArrivalWorld::kVm).presence.state = State::paused;
  world.time.run(std::chrono::hours(1) + std::chrono::minutes(1));
  CHECK(world.operation().state == OperationState::needs_person);
  CHECK_THAT(world.operation().message, Catch::StartsWith("it is paused here"));
}

TEST_CASE("a move that fails at the source ends the claim") {
  ArrivalWorld world;
  world.reserve(ArrivalWorld::order()).value();
  world.comes();
  world.time.run(Millis(2'000));
  world.here.remove(ArrivalWorld::kVm);
  world.lifecycle();
  world.time.run(Millis(2'000));
  CHECK(world.operation().state == OperationState::migrating);  // its job still ends there
  world.sourceIs(State::running);
  world.time.run(Millis(3'000));
  CHECK(world.operation().state == OperationState::failed);
  CHECK(world.here.count("destroy") == 0);
}

TEST_CASE("a VM that went away is not forgotten while its source is silent") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.reserve(ArrivalWorld::order()).value();
  world.comes();
  world.here.remove(ArrivalWorld::kVm);
  world.time.run(Millis(300'000));
  CHECK(world.operation().state == OperationState::uncertain);
  world.sourceIsBack();
  world.sourceIs(State::running);
  world.time.run(Millis(3'000));
  CHECK(world.operation().state == OperationState::failed);
}

TEST_CASE("a VM that is nowhere is left to a person at last, and may come again") {
  ArrivalWorld world;
  world.time.step = Millis(10'000);
  world.reserve(ArrivalWorld::order()).value();
  world.comes();
  world.here.remove(ArrivalWorld::kVm);
  SECTION("as its source says") {
    world.sourceIs(State::absent);
  }
  SECTION("and its source is silent") {
    world.sourceFallsSilent();
  }
  world.time.run(std::chrono::minutes(59));
  CHECK(world.operation().state == OperationState::uncertain);
  world.time.run(std::chrono::minutes(2));
  CHECK(world.operation().state == OperationState::needs_person);
  CHECK(advises(world.operation(), "virsh domstate --reason web"));
  world.sourceIsBack();
  CHECK(world.reserve(ArrivalWorld::order("m-2")));
}

TEST_CASE("a definition that cannot be removed here is left to a person, and holds nobody up") {
  ArrivalWorld world;
  world.reserve(ArrivalWorld::order()).value();
  world.comes();
  world.here.vm(ArrivalWorld::kVm).presence = {
      .state = State::off, .defined = true, .reason = "shut off"};
  world.sourceIs(State::running);
  SECTION("libvirt refuses") {
    world.here.failNext(Call::undefine, {Code::failed, "there is a managed save"});
  }
  SECTION("libvirt does not answer") {
    world.here.failNext(Call::undefine, {Code::timeout, "no answer in time"}, 1'000);
  }
  world.time.run(Millis(30'000));
  CHECK(world.operation().state == OperationState::needs_person);
  CHECK(advises(world.operation(), "virsh undefine web"));
  CHECK_FALSE(world.arrivals->expects(ArrivalWorld::kVm));
}

TEST_CASE("a second copy that cannot be ended is told of once, and tried on") {
  ArrivalWorld world;
  world.arrives();
  world.here.failNext(Call::destroy, {Code::failed, "Device or resource busy"}, 200);
  world.sourceIs(State::running);
  world.time.run(Millis(60'000));
  CHECK_FALSE(ended(world.operation().state));
  CHECK(advises(world.operation(), "virsh destroy web"));
  CHECK(world.told("arrival.conflict") == 1);
  CHECK(world.journal.history.size() < 20);
  world.time.run(Millis(60'000));
  CHECK_FALSE(world.runs());
  CHECK(world.operation().state == OperationState::failed);
}

TEST_CASE("a commit is the source's word: what was suspended goes on first") {
  ArrivalWorld world;
  world.isSuspended();
  CHECK(world.commit({.autostart = false, .moves = {}}));
  CHECK(world.runs());
  CHECK(world.operation().state == OperationState::done);
  CHECK(world.here.count("setAutostart " + ArrivalWorld::kVm.text() + " no") == 1);
}

TEST_CASE("a commit of what is not here, or not known, is refused") {
  ArrivalWorld world;
  CHECK(world.commit().error().code == Code::not_found);
  world.reserve(ArrivalWorld::order()).value();
  CHECK(world.commit().error().code == Code::refused);
  CHECK(world.operation().state == OperationState::reserved);
  CommitOrder many;
  many.moves.resize(1'000);
  CHECK(world.commit(many).error().code == Code::invalid);
}

TEST_CASE("a token is taken of a VM that was taken over and is here, and of no other") {
  ArrivalWorld world;
  CHECK(world.takeToken("secret").error().code == Code::not_found);
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  CHECK(world.takeToken("secret").error().code == Code::refused);
  CHECK(world.tokens.tokens.empty());
  CHECK(world.arrivals->awaitsToken(ArrivalWorld::kVm));
  REQUIRE(world.commit());
  CHECK(world.arrivals->awaitsToken(ArrivalWorld::kVm));
  CHECK(world.takeToken("secret"));
  CHECK(world.takeToken("secret"));
  CHECK(world.tokens.of(ArrivalWorld::kVm) == "secret");
  CHECK(world.told("vm.token_taken") == 1);
  CHECK_FALSE(world.arrivals->awaitsToken(ArrivalWorld::kVm));
  CHECK(world.operation().state == OperationState::done);
  CHECK(world.journal.kept.at("m-1").record.token_taken);
  CHECK(world.journal.kept.at("m-1").message.find("secret") == std::string::npos);
}

void isTakenOver(ArrivalWorld& world) {
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  REQUIRE(world.commit());
}

TEST_CASE("a token that came is not taken again, also by the next life of the daemon") {
  ArrivalWorld world;
  isTakenOver(world);
  world.tokens.keep_fails = Error{Code::full, "no room"};
  CHECK(world.takeToken("secret").error().code == Code::full);
  world.tokens.keep_fails.reset();
  REQUIRE(world.takeToken("secret"));
  // It is enrolled anew.
  world.tokens.tokens[ArrivalWorld::kVm] = "its own";
  CHECK(world.takeToken("secret"));
  world.restartDaemon();
  CHECK(world.takeToken("secret"));
  CHECK(world.tokens.of(ArrivalWorld::kVm) == "its own");
}

TEST_CASE("a token waits while its VM is enrolled, and comes too late for one that came anew") {
  ArrivalWorld world;
  isTakenOver(world);
  world.changing = true;
  CHECK(world.takeToken("secret").error().code == Code::busy);
  world.changing = false;
  // Who enrolled it has seen to its token: that of its former host comes too late.
  SECTION("it was enrolled") {
    world.tokens.tokens[ArrivalWorld::kVm] = "its own";
    world.call(world.arrivals->settleToken(ArrivalWorld::kVm));
    CHECK(world.takeToken("secret"));
    world.restartDaemon();
    CHECK(world.takeToken("secret"));
    CHECK(world.tokens.of(ArrivalWorld::kVm) == "its own");
    return;
  }
  auto again = world.journal.kept.at("m-1");
  again.id = "m-2";
  again.created += Millis(60'000);
  world.journal.kept["m-2"] = again;
  world.restartDaemon();
  const auto late = world.takeToken("secret");
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Code::refused);
  CHECK_THAT(late.error().message, Catch::EndsWith("has come anew since, by operation m-2"));
  CHECK(world.tokens.tokens.empty());
}

TEST_CASE("a commit that could not set autostart may be repeated") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  world.here.failNext(Call::set_autostart, {Code::timeout, "libvirt is busy"});
  CHECK(world.commit({.autostart = true, .moves = {}}).error().code == Code::timeout);
  CHECK(world.operation().state == OperationState::committing);
  world.time.run(Millis(10'000));
  CHECK(world.commit({.autostart = true, .moves = {}}));
  CHECK(world.operation().state == OperationState::done);
}

TEST_CASE("a VM that died here after its source was off is started once") {
  ArrivalWorld world;
  world.arrives();
  world.here.crash(ArrivalWorld::kVm);
  world.sourceIs(State::off);

  CHECK(world.revive());

  CHECK(world.runs());
  CHECK(world.operation().confirmed);
  CHECK(world.revive());  // the first answer was lost
  CHECK(world.here.count("start") == 1);
  world.here.crash(ArrivalWorld::kVm);
  CHECK(world.revive().error().code == Code::refused);
  CHECK(world.here.count("start") == 1);
}

TEST_CASE("a VM that is off here by nobody's wish is started once, too") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  REQUIRE(world.operation().confirmed);
  auto& presence = world.here.vm(ArrivalWorld::kVm).presence;
  presence = {.state = State::off, .defined = true, .reason = "unknown"};
  CHECK(world.revive().error().code == Code::refused);
  presence.unexplained = true;

  CHECK(world.revive());

  CHECK(world.runs());
  CHECK(world.operation().record.restarted);
}

TEST_CASE("nothing is started that is not proven off at its source, or that was shut down here") {
  ArrivalWorld world;
  world.arrives();
  world.here.crash(ArrivalWorld::kVm);
  world.sourceFallsSilent();
  CHECK(world.revive().error().code == Code::refused);
  world.sourceIsBack();
  world.sourceIs(State::paused);
  CHECK(world.revive().error().code == Code::refused);

  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  REQUIRE(world.operation().confirmed);
  world.here.vm(ArrivalWorld::kVm).presence.crashed = false;
  CHECK(world.revive().error().code == Code::refused);
  CHECK(world.here.count("start") == 0);
}

TEST_CASE("a VM that went back to its source is returned") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  REQUIRE(world.operation().confirmed);
  world.here.remove(ArrivalWorld::kVm);
  world.sourceIs(State::running);

  SECTION("on the source's word") {
    CHECK(world.release());
  }
  SECTION("as both hosts show") {
    world.time.run(Millis(8'000));
  }

  CHECK(world.operation().state == OperationState::returned);
  CHECK_FALSE(world.arrivals->expects(ArrivalWorld::kVm));
}

}  // namespace virtseer::sim
