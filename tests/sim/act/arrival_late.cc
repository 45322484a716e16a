#include <catch2/catch.hpp>

#include "act/arrival_claim.h"
#include "sim/act/arrival_world.h"

// What comes, or takes effect, after those who asked for it gave it up.

namespace virtseer::sim {
namespace {

using State = Presence::State;
using Job = Presence::Job;
using Call = platform::FakeActions::Call;

bool advises(const Operation& operation, const std::string& words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& line) { return line.find(words) != std::string::npos; });
}

/// Its source was silent for so long that it was to be suspended, which was given up.
struct GivenUp : ArrivalWorld {
  GivenUp() {
    sourceFallsSilent();
    arrives();
    here.failNext(Call::suspend, {Code::timeout, "libvirt is busy"});
    time.run(Millis(9'900));
    REQUIRE(here.count("suspend") == 0);
    time.run(Millis(200));
    REQUIRE(here.count("suspend") == 1);
    REQUIRE(runs());
    sourceIsBack();
  }
  void takesEffectLate() {
    here.vm(kVm).presence.state = State::paused;
    lifecycle();
  }
};

}  // namespace

TEST_CASE("late: suspending takes effect after the source was heard again: it is undone") {
  GivenUp world;
  world.sourceIs(State::paused, Job::migration_out);
  world.time.run(Millis(20'000));
  REQUIRE(world.operation().state == OperationState::migrating);

  world.takesEffectLate();
  world.time.run(Millis(1'000));
  CHECK(world.operation().suspended);
  world.sourceIs(State::off);
  world.time.run(Millis(2'000));

  CHECK(world.runs());
  CHECK(world.operation().confirmed);
}

TEST_CASE("late: suspending takes effect after the VM was confirmed: it is undone") {
  GivenUp world;
  world.sourceIs(State::off);
  world.time.run(Millis(10'000));
  REQUIRE(world.operation().confirmed);
  SECTION("in the same life") {}
  SECTION("in the next life") {
    world.restartDaemon();
  }

  world.takesEffectLate();
  world.time.run(Millis(3'000));

  CHECK(world.runs());
  CHECK(world.operation().confirmed);
  CHECK(world.operation().state == OperationState::verifying);
}

TEST_CASE("late: suspending takes effect after the move was complete: it is undone") {
  GivenUp world;
  world.sourceIs(State::off);
  world.time.run(Millis(10'000));
  REQUIRE(world.commit());
  REQUIRE(world.operation().state == OperationState::done);
  const auto written = world.journal.history.size();

  world.takesEffectLate();
  world.time.run(Millis(3'000));

  CHECK(world.runs());
  CHECK(world.operation().state == OperationState::done);
  CHECK(world.journal.history.size() == written);
}

TEST_CASE("late: a VM that is paused long after that is a person's") {
  GivenUp world;
  world.sourceIs(State::off);
  world.time.run(act::kLateAct + Millis(5'000));
  REQUIRE(world.operation().confirmed);
  CHECK_FALSE(world.operation().suspended);
  SECTION("while it is verified") {}
  SECTION("when the move is complete") {
    REQUIRE(world.commit());
  }

  world.takesEffectLate();
  world.time.run(Millis(30'000));

  CHECK(world.stateHere() == State::paused);
  CHECK(world.here.count("resume") == 0);
}

TEST_CASE("late: a VM that is moved on stands still for its own reasons") {
  GivenUp world;
  world.sourceIs(State::off);
  world.time.run(Millis(10'000));
  REQUIRE(world.commit());
  world.here.vm(ArrivalWorld::kVm).presence.job = Job::migration_out;
  world.lifecycle();
  world.time.run(Millis(2'500));
  world.here.vm(ArrivalWorld::kVm).presence.job = Job::none;
  world.takesEffectLate();
  world.time.run(Millis(30'000));
  CHECK(world.stateHere() == State::paused);
  CHECK(world.here.count("resume") == 0);
}

TEST_CASE("late: room that was given back before it was asked for is not held") {
  ArrivalWorld world;
  REQUIRE(world.release());
  CHECK(world.reserve(ArrivalWorld::order()).error().code == Code::refused);
  CHECK(world.arrivals->reservations().empty());
  CHECK_FALSE(world.arrivals->expects(ArrivalWorld::kVm));
  CHECK(world.journal.history.empty());

  auto look = ArrivalWorld::order();
  look.dry_run = true;
  CHECK(world.reserve(look));
  CHECK(world.reserve(ArrivalWorld::order("m-2")));
}

TEST_CASE("late: a copy that may yet be ended is not taken for the VM") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::running);
  world.here.failNext(Call::destroy, {Code::timeout, "libvirt does not answer in time"});
  REQUIRE(world.time.runUntil([&] { return world.here.count("destroy") == 1; }, Millis(10'000)));
  world.sourceIs(State::off);
  world.time.run(Millis(30'000));
  REQUIRE(world.runs());
  CHECK_FALSE(world.operation().confirmed);
  CHECK(world.commit().error().code == Code::busy);

  SECTION("it does not take effect") {
    world.time.run(Millis(35'000));
    CHECK(world.runs());
    CHECK(world.operation().state == OperationState::needs_person);
    CHECK(advises(world.operation(), "end the copy here, which is out of date"));
    CHECK(advises(world.operation(), "start it at a, unless it runs elsewhere"));
    CHECK(world.told("arrival.failed") == 1);
    CHECK(world.commit().error().code == Code::refused);
  }
  SECTION("it takes effect") {
    world.here.vm(ArrivalWorld::kVm).presence = {
        .state = State::off, .defined = true, .reason = "destroyed"};
    world.lifecycle();
    world.time.run(Millis(5'000));
    CHECK(world.operation().state == OperationState::needs_person);
    CHECK_FALSE(world.operation().confirmed);
    CHECK(world.commit().error().code == Code::refused);
  }
  SECTION("the daemon begins anew meanwhile") {
    world.restartDaemon();
    world.time.run(Millis(50'000));
    CHECK_FALSE(world.operation().confirmed);
    CHECK(world.commit().error().code == Code::busy);
    world.time.run(Millis(15'000));
    CHECK_FALSE(world.operation().confirmed);
    CHECK(world.operation().state == OperationState::needs_person);
  }
}

TEST_CASE("late: a copy that libvirt refuses to end is never taken for the VM") {
  ArrivalWorld world;
  const bool was_suspended = GENERATE(false, true);
  if (was_suspended)
    world.isSuspended();
  else
    world.arrives();
  world.sourceIsBack();
  world.sourceIs(State::running);
  world.here.failNext(Call::destroy, {Code::failed, "Device or resource busy"}, 1'000'000);
  REQUIRE(world.time.runUntil([&] { return world.here.count("destroy") > 2; }, Millis(10'000)));
  world.sourceIs(State::absent);
  CHECK(world.commit().error().code == Code::refused);
  REQUIRE(world.journal.kept.at("m-1").record.to_be_ended);
  SECTION("in the same life") {}
  SECTION("in the next life, and the step that told of it is gone") {
    world.killDaemon();
    world.journal.kept.at("m-1").steps.resize(1);
    world.startDaemon();
  }
  world.time.run(Millis(50'000));
  CHECK_FALSE(ended(world.operation().state));
  CHECK_FALSE(world.operation().confirmed);
  world.time.run(Millis(70'000));
  CHECK(world.operation().state == OperationState::needs_person);
  CHECK_FALSE(world.operation().confirmed);
  CHECK(world.here.count("resume") == 0);
  CHECK(world.stateHere() == (was_suspended ? State::paused : State::running));
}

TEST_CASE("late: it is remembered for two minutes, and of a bounded number") {
  ArrivalWorld world;
  REQUIRE(world.release());
  world.time.run(Millis(119'000));
  CHECK_FALSE(world.reserve(ArrivalWorld::order()));
  world.time.run(Millis(1'000));
  CHECK(world.reserve(ArrivalWorld::order()));

  ArrivalWorld crowded;
  REQUIRE(crowded.release());
  for (int i = 0; i < 1'000; ++i) REQUIRE(crowded.release("x-" + std::to_string(i)));
  CHECK_FALSE(crowded.reserve(ArrivalWorld::order("x-0")));
  CHECK(crowded.reserve(ArrivalWorld::order()));
}

TEST_CASE("late: room that is given back while it is asked for is not held") {
  ArrivalWorld world;
  std::optional<Result<ReserveAnswer>> answer;
  SECTION("while conditions are looked at") {
    world.here.hold(Call::admits);
    world.begin(world.arrivals->reserve(ArrivalWorld::order()), answer);
    REQUIRE_FALSE(answer);
    REQUIRE(world.release());
    world.here.release(Call::admits);
    world.time.settle();
  }
  SECTION("while the claim is written down") {
    std::optional<Result<void>> released;
    world.journal.after_write = [&](OperationState state) {
      return world.time.pause(Millis(state == OperationState::reserved ? 1'000 : 0));
    };
    world.begin(world.arrivals->reserve(ArrivalWorld::order()), answer);
    REQUIRE_FALSE(answer);
    world.begin(world.arrivals->release("m-1"), released);
    world.time.run(Millis(2'000));
    REQUIRE(released);
    CHECK(*released);
    world.journal.after_write = nullptr;
  }
  REQUIRE(answer);
  REQUIRE_FALSE(*answer);
  CHECK(answer->error().code == Code::refused);
  CHECK_FALSE(world.arrivals->expects(ArrivalWorld::kVm));
  CHECK(world.arrivals->reservations().empty());
  CHECK(world.reserve(ArrivalWorld::order("m-2")));
}

TEST_CASE("late: a commit that is said again repeats what follows the VM, and un-ends nothing") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  REQUIRE(world.commit({.autostart = true, .moves = {}}));
  const auto done = world.operation();
  const auto written = world.journal.history.size();
  world.time.run(Millis(5'000));

  PastMove move;
  move.to = ArrivalWorld::kHere;
  world.here.failNext(Call::set_autostart, {Code::timeout, "libvirt is busy"});
  CHECK_FALSE(world.commit({.autostart = true, .moves = {move}}));
  CHECK(world.operation() == done);
  CHECK(world.commit({.autostart = true, .moves = {move}}));

  CHECK(world.operation() == done);
  CHECK(world.journal.history.size() == written);
  CHECK(world.adopted == std::vector{move});
  CHECK(world.here.count("setAutostart") == 3);
  CHECK(world.told("arrival.done") == 1);
}

TEST_CASE("late: a VM may be asked to go back from when it is confirmed until its move has ended") {
  ArrivalWorld world;
  CHECK_FALSE(world.arrivals->mayReturn("m-1"));
  world.arrives();
  CHECK_FALSE(world.arrivals->mayReturn("m-1"));
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  CHECK(world.arrivals->mayReturn("m-1"));
  REQUIRE(world.commit());
  CHECK_FALSE(world.arrivals->mayReturn("m-1"));
}

}  // namespace virtseer::sim
