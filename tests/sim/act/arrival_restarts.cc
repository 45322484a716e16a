#include <catch2/catch.hpp>

#include "act/settle.h"
#include "sim/act/arrival_world.h"

// The daemon of the destination is killed and comes back, in each state of an arrival.

namespace virtseer::sim {
namespace {

using State = Presence::State;
using Job = Presence::Job;
using Call = platform::FakeActions::Call;

}  // namespace

TEST_CASE("after a restart room that was promised is still held") {
  ArrivalWorld world;
  world.room.memory_bytes = 1ull << 30;
  world.reserve(ArrivalWorld::order()).value();

  world.restartDaemon();

  REQUIRE(world.arrivals->reservations().size() == 1);
  CHECK(world.arrivals->renew("m-1"));
  CHECK(world.reserve(ArrivalWorld::order("m-2", ArrivalWorld::uuid(2))).error().code ==
        Code::full);
  world.comes();
  world.time.run(Millis(2'500));
  CHECK(world.operation().state == OperationState::migrating);
}

TEST_CASE("after a restart a reservation that nobody renews ends") {
  ArrivalWorld world;
  world.reserve(ArrivalWorld::order()).value();
  world.restartDaemon();
  world.time.run(Millis(65'000));
  CHECK(world.operation().state == OperationState::failed);
}

TEST_CASE("after a restart while it comes, the watch goes on") {
  ArrivalWorld world;
  world.reserve(ArrivalWorld::order()).value();
  world.comes();
  world.killDaemon();
  world.here.vm(ArrivalWorld::kVm).presence = {
      .state = State::running, .defined = true, .reason = "migrated"};
  world.sourceIs(State::off);
  world.startDaemon();
  world.time.run(Millis(1'000));
  CHECK(world.operation().confirmed);
}

TEST_CASE("a restart neither lengthens nor shortens the time that a copy may run unheard") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.arrives();
  world.time.run(Millis(4'000));
  world.killDaemon();
  world.clock.advance(Millis(3'000));
  world.startDaemon();
  world.time.run(Millis(2'900));
  CHECK(world.runs());
  world.time.run(Millis(100));
  CHECK_FALSE(world.runs());
}

TEST_CASE("killed between the claim and the suspending: it is done, and no person's act is seen") {
  ArrivalWorld world;
  world.sourceFallsSilent();
  world.arrives();
  world.here.hold(Call::suspend);
  world.time.run(act::kUnheard);
  REQUIRE(world.here.held(Call::suspend) == 1);
  REQUIRE(world.journal.kept.at("m-1").suspended);
  world.here.failNext(Call::suspend, {Code::timeout, "the daemon was killed"});
  world.here.release(Call::suspend);
  world.killDaemon();
  REQUIRE(world.runs());

  world.startDaemon();
  CHECK_FALSE(world.operation().confirmed);
  world.time.run(act::kUnheard + Millis(500));
  CHECK(world.stateHere() == State::paused);
  CHECK_FALSE(world.operation().confirmed);
}

TEST_CASE("killed after the suspending: the claim is honoured") {
  ArrivalWorld world;
  world.isSuspended();

  world.restartDaemon();
  CHECK(world.arrivals->suspended(ArrivalWorld::kVm));
  world.time.run(Millis(30'000));
  CHECK(world.stateHere() == State::paused);

  SECTION("the source is off: it goes on") {
    world.sourceIsBack();
    world.sourceIs(State::off);
    world.time.run(Millis(1'000));
    CHECK(world.runs());
    CHECK(world.operation().confirmed);
  }
  SECTION("the source runs: it is ended") {
    world.sourceIsBack();
    world.sourceIs(State::running);
    world.time.run(Millis(1'000));
    CHECK(world.stateHere() == State::absent);
    CHECK(world.operation().state == OperationState::failed);
  }
}

TEST_CASE("a person who resumed it while the daemon was away is believed") {
  ArrivalWorld world;
  world.isSuspended();
  world.killDaemon();
  world.here.vm(ArrivalWorld::kVm).presence.state = State::running;
  world.startDaemon();
  world.time.run(Millis(1'000));
  CHECK(world.runs());
  CHECK(world.operation().confirmed);
}

TEST_CASE("killed in the middle of resuming: our own act is not taken for a person's") {
  ArrivalWorld world;
  world.isSuspended();
  world.sourceIsBack();
  world.sourceIs(State::paused);
  world.here.hold(Call::resume);
  world.time.run(act::kOutOfDate + Millis(1'000));
  REQUIRE(world.here.held(Call::resume) == 1);
  world.here.failNext(Call::resume, {Code::timeout, "the daemon was killed"});
  world.here.release(Call::resume);
  world.killDaemon();
  REQUIRE(world.journal.kept.at("m-1").suspended);

  SECTION("it had taken effect") {
    world.here.vm(ArrivalWorld::kVm).presence.state = State::running;
    world.startDaemon();
    world.time.run(Millis(1'000));
    CHECK_FALSE(world.operation().confirmed);
    CHECK_FALSE(world.operation().suspended);
  }
  SECTION("it had not") {
    world.startDaemon();
    world.time.run(act::kOutOfDate + Millis(1'000));
  }
  CHECK(world.runs());
  CHECK_FALSE(world.operation().confirmed);
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  CHECK(world.operation().confirmed);
}

TEST_CASE("killed in the middle of ending a copy: it is ended and its definition goes") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::running);
  world.here.hold(Call::undefine);
  world.time.run(Millis(3'000));
  REQUIRE(world.here.held(Call::undefine) == 1);
  REQUIRE(world.stateHere() == State::off);
  world.here.failNext(Call::undefine, {Code::timeout, "the daemon was killed"});
  world.here.release(Call::undefine);
  world.killDaemon();
  REQUIRE(world.stateHere() == State::off);

  world.startDaemon();
  world.time.run(Millis(3'000));

  CHECK(world.stateHere() == State::absent);
  CHECK(world.operation().state == OperationState::failed);
}

TEST_CASE("what was confirmed stays so after a restart, and may be handed over") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  REQUIRE(world.operation().confirmed);
  world.sourceFallsSilent();

  world.restartDaemon();
  world.time.run(Millis(60'000));
  CHECK(world.runs());
  CHECK(world.operation().confirmed);
  CHECK(world.commit({.autostart = true, .moves = {}}));
  CHECK(world.operation().state == OperationState::done);
}

TEST_CASE("killed in the middle of a commit: it may be repeated") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  world.here.failNext(Call::set_autostart, {Code::timeout, "libvirt is busy"});
  CHECK_FALSE(world.commit({.autostart = true, .moves = {}}));
  REQUIRE(world.operation().state == OperationState::committing);

  world.restartDaemon();
  world.time.run(Millis(10'000));
  CHECK(world.operation().state == OperationState::committing);
  CHECK(world.commit({.autostart = true, .moves = {}}));
  CHECK(world.operation().state == OperationState::done);
}

TEST_CASE("a VM is started once, also over a restart") {
  ArrivalWorld world;
  world.arrives();
  world.here.crash(ArrivalWorld::kVm);
  world.sourceIs(State::off);
  REQUIRE(world.revive());
  world.restartDaemon();
  world.here.crash(ArrivalWorld::kVm);
  CHECK(world.revive().error().code == Code::refused);
}

TEST_CASE("what has ended is remembered, and nothing watches it") {
  ArrivalWorld world;
  world.arrives();
  world.sourceIs(State::off);
  world.time.run(Millis(1'000));
  REQUIRE(world.commit());
  world.restartDaemon();
  const auto calls = world.here.calls().size();
  world.sourceFallsSilent();
  world.time.run(Millis(60'000));
  CHECK(world.here.calls().size() == calls);
  CHECK(world.arrivals->all().size() == 1);
  CHECK(world.operation().state == OperationState::done);
}

}  // namespace virtseer::sim
