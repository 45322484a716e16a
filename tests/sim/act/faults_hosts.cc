#include "sim/act/world.h"

/// A whole host goes down with its daemon and its VMs: what is off then was shut down by nobody.
namespace virtseer::sim {
namespace {

using Where = Presence::State;

const Presence kOffWithItsHost{
    .state = Where::off, .defined = true, .reason = "off: unknown", .unexplained = true};

bool advises(const Operation& operation, std::string_view words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& each) { return each.find(words) != std::string::npos; });
}

/// Where the VM is watched its destination loses power, and is back after a minute.
void losePowerThere(World& world) {
  world.none_may_run_for = Millis(3'600'000);
  world.movesTake(Millis(2'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.time.run(Millis(5'000));
  world.cut(true);
  world.b.libvirt.vm(kVm).presence = kOffWithItsHost;
  world.time.run(Millis(60'000));
  CHECK(world.operation().state == State::uncertain);
  world.cut(false);
}

TEST_CASE(
    "the destination's host loses power: what moved there is started again, not called done") {
  World world;
  losePowerThere(world);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.a.peer->count("revive") == 1);
  world.checkRunsAtBOnly();
}

TEST_CASE("the destination's host loses power and does not start it again: a person is told") {
  World world;
  world.a.peer->on_revive = [](std::string) -> boost::asio::awaitable<Result<void>> {
    co_return fail(Code::refused, "it has not died here");
  };
  losePowerThere(world);
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::needs_person);
  CHECK_THAT(operation.message, Catch::Contains("it has not died here"));
  CHECK_THAT(operation.message, !Catch::Contains("again after it was started"));
  CHECK(advises(operation, "virsh start"));
  CHECK(world.a.libvirt.count("start ") == 0);
}

TEST_CASE("the source's host loses power during the move: the VM is started again there") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.kill();
  world.a.libvirt.crash(kVm);
  world.b.libvirt.remove(kVm);
  world.a.libvirt.vm(kVm).presence = kOffWithItsHost;
  world.time.run(Millis(60'000));
  world.a.start();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  world.checkRunsAtAOnly();
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
}

TEST_CASE("a source that died while its daemon was away is started again, whatever libvirt says") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.kill();
  world.a.libvirt.crash(kVm);
  SECTION("that there is no job") {}
  SECTION("that it cannot say") {
    world.a.libvirt.failNext(FakeActions::Call::progress, {Code::unreachable, "it does not run"},
                             1'000'000);
  }
  world.a.start();
  REQUIRE(world.ends(Millis(60'000)));
  CHECK(world.operation().state == State::failed);
  world.checkRunsAtAOnly();
}

TEST_CASE("a VM that dies before anything moved is started again once, where it was") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.a.libvirt.hold(FakeActions::Call::set_autostart);
  world.begin();
  REQUIRE(world.reaches(State::preparing));
  SECTION("its emulator") {
    world.a.libvirt.crash(kVm);
  }
  SECTION("its host, with which it would have come up but for the move") {
    world.a.libvirt.vm(kVm).presence = kOffWithItsHost;
  }
  world.a.libvirt.release(FakeActions::Call::set_autostart);
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::failed);
  CHECK_THAT(operation.message, Catch::Contains("was started again at a"));
  CHECK(world.a.libvirt.count("migrate") == 0);
  CHECK(world.a.libvirt.count("start ") == 1);
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  world.checkRunsAtAOnly();
}

TEST_CASE("a VM that was shut down before anything moved, or that nothing may start, stays off") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  auto& vm = world.a.libvirt.vm(kVm);
  vm.definition.autostart = false;
  vm.definition.managed_save = true;
  world.a.libvirt.hold(FakeActions::Call::remove_managed_save);
  world.begin();
  REQUIRE(world.reaches(State::preparing));
  bool died = true;
  SECTION("it went down with its host, which does not start it") {
    vm.presence = kOffWithItsHost;
  }
  SECTION("by its own word, which is no death") {
    vm.presence = {.state = Where::off, .defined = true, .reason = "off: shutdown"};
    died = false;
  }
  world.a.libvirt.release(FakeActions::Call::remove_managed_save);
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == (died ? State::needs_person : State::refused));
  CHECK(advises(operation, "virsh start") == died);
  CHECK_THAT(operation.message, Catch::Contains("is off at a"));
  CHECK(world.a.libvirt.count("migrate") == 0);
  CHECK(world.a.libvirt.count("start ") == 0);
}

TEST_CASE("a daemon that is killed before it starts the source again says what it does not know") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  bool kill = false;
  world.a.journal.after_write = [&](State) -> boost::asio::awaitable<void> {
    const auto& steps = world.a.journal.history.back().steps;
    if (steps.back().note.find("started again") == std::string::npos) co_return;
    kill = true;
    co_await world.time.pause(Millis(3'600'000));
  };
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.crash(kVm);
  REQUIRE(world.time.runUntil([&] { return kill; }, Millis(60'000)));
  world.a.kill();
  world.a.start();
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::needs_person);
  CHECK_THAT(operation.message, Catch::Contains("may have been started"));
  CHECK(advises(operation, "virsh start"));
}

TEST_CASE("a VM that was shut down at its destination is not said to run there") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.movesTake(Millis(1'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.b.libvirt.vm(kVm).presence = {
      .state = Where::off, .defined = true, .reason = "off: shutdown"};
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK_THAT(world.operation().message, Catch::Contains("shut down there"));
  CHECK_THAT(world.operation().message, !Catch::Contains("runs"));
}

TEST_CASE("a VM that stands still at its destination is not said to run there") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.movesTake(Millis(1'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.b.libvirt.vm(kVm).presence = {
      .state = Where::paused, .defined = true, .reason = "paused: I/O error"};
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("it is paused at b"));
}

TEST_CASE("both run after the move was handed over: a person is told within minutes") {
  World world;
  world.both_may_run = true;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.switchOver(kVm);
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the connection was closed"));
  world.a.libvirt.vm(kVm).presence.state = Where::running;
  REQUIRE(world.ends(Millis(120'000)));
  const auto operation = world.operation();
  CHECK(operation.state == State::needs_person);
  CHECK(advises(operation, "virsh destroy"));
  CHECK(world.a.libvirt.count("destroy") == 0);
}

TEST_CASE("a VM that dies while its hand-over waits is started again, and watched again") {
  World world;
  world.movesTake(Millis(1'000));
  bool died = false;
  world.a.peer->on_commit = [&, commit = world.a.peer->on_commit](std::string id,
                                                                  CommitOrder order) {
    if (std::exchange(died, true)) return commit(std::move(id), std::move(order));
    world.b.libvirt.crash(kVm);
    return [](Error why) -> boost::asio::awaitable<Result<void>> {
      co_return fail(std::move(why));
    }({Code::busy, "too many connections"});
  };
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.a.peer->count("revive") == 1);
  world.checkRunsAtBOnly();
}

}  // namespace
}  // namespace virtseer::sim
