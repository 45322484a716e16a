#include "sim/act/world.h"

/// A copy that was left at the destination while the VM went on at its source, and from there
/// elsewhere: it must never run.
namespace virtseer::sim {
namespace {

using Where = Presence::State;
using Call = FakeActions::Call;

bool advises(const Operation& operation, std::string_view words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& each) { return each.find(words) != std::string::npos; });
}

/// What a sends to b is heard, what b sends to a is not.
void bHears(World& world, bool hears) {
  world.b.peer->silent = !hears;
  world.b.peer->port_answers = hears;
}

/// The last word of a move is lost: a runs the VM again, and b has a copy.
std::string lastWordIsLost(World& world) {
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.both_may_run = true;
  world.a.libvirt.switchOver(kVm);
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the connection was closed"));
  world.a.libvirt.vm(kVm).presence.state = Where::running;
  return id;
}

/// The same, and b has suspended its copy, since it does not hear a.
std::string isSuspendedThere(World& world) {
  auto id = lastWordIsLost(world);
  bHears(world, false);
  world.time.run(Millis(15'000));
  REQUIRE(world.b.arrivals->suspended(kVm));
  world.both_may_run = false;
  return id;
}

void movesToC(World& world) {
  world.movesTake(Millis(2'000));
  REQUIRE(world.a.migrate(order(kVm, "c")));
  REQUIRE(world.time.runUntil([&] { return world.third().libvirt.runs(kVm); }, Millis(60'000)));
  REQUIRE(world.time.runUntil([&] { return !world.a.operations->busy(kVm); }, Millis(300'000)));
  REQUIRE(world.a.libvirt.find(kVm) == nullptr);
}

void byHandToC(World& world) {
  world.a.libvirt.remove(kVm);
  world.third().libvirt.add(kVm, "web");
}

TEST_CASE("stale: a VM does not leave its source while its suspended copy may be resumed") {
  World world(true);
  world.third();
  const auto id = isSuspendedThere(world);
  world.time.run(Millis(70'000));
  CHECK(world.operation().state == State::settling);
  CHECK_FALSE(world.a.migrate(order(kVm, "c")));
  CHECK(world.a.count("operation.unsettled") == 1);
  CHECK(advises(world.operation(), "see that b reaches a"));
  CHECK(advises(world.operation(), "virsh destroy"));
  CHECK(world.a.journal.kept.at(id).advice == world.operation().advice);
  world.time.run(Millis(600'000));
  CHECK(world.a.count("operation.unsettled") == 1);

  SECTION("b hears a again, and ends its copy") {
    bHears(world, true);
  }
  SECTION("a person ends the copy there") {
    world.b.libvirt.remove(kVm);
  }
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  CHECK_FALSE(advises(world.operation(), "see that b reaches a"));
  CHECK_FALSE(advises(world.operation(), "virsh destroy"));
  world.checkRunsAtAOnly();
  movesToC(world);
  bHears(world, true);
  world.time.run(Millis(60'000));
  CHECK_FALSE(world.b.libvirt.runs(kVm));
}

TEST_CASE("stale: a suspended copy is not resumed once a person has taken the VM elsewhere") {
  World world(true);
  world.third();
  const auto id = isSuspendedThere(world);
  world.time.run(Millis(70'000));
  SECTION("in the same life") {}
  SECTION("the daemon at the source begins anew meanwhile") {
    world.a.kill();
    world.a.start();
  }
  byHandToC(world);
  world.time.run(Millis(10'000));
  CHECK(world.operation().state == State::needs_person);
  CHECK(advises(world.operation(), "end the copy at b"));

  bHears(world, true);
  world.time.run(Millis(120'000));
  CHECK(world.b.libvirt.vm(kVm).presence.state == Where::paused);
  CHECK(world.b.libvirt.count("resume") == 0);
  const auto arrival = *world.b.arrivals->find(id);
  CHECK(arrival.state == State::needs_person);
  CHECK_FALSE(arrival.confirmed);
  CHECK(advises(arrival, "virsh destroy web"));
  CHECK(world.b.count("arrival.failed") == 1);
}

TEST_CASE("stale: a copy that stands still is not taken for a VM that was moved on meanwhile") {
  World world(true);
  world.third();
  const auto id = lastWordIsLost(world);
  world.b.libvirt.vm(kVm).presence.state = Where::paused;
  world.both_may_run = false;
  bHears(world, false);
  REQUIRE(world.ends(Millis(90'000)));
  REQUIRE(world.operation().state == State::needs_person);
  // It counts for how soon, and where to, it may be moved by itself.
  REQUIRE(world.a.moves.size() == 1);
  CHECK(world.a.moves.front().outcome == MoveOutcome::failed);
  movesToC(world);

  bHears(world, true);
  world.time.run(Millis(120'000));
  CHECK(world.b.libvirt.vm(kVm).presence.state == Where::paused);
  const auto arrival = *world.b.arrivals->find(id);
  CHECK(arrival.state == State::needs_person);
  CHECK_FALSE(arrival.confirmed);
  CHECK_FALSE(world.b.arrivals->expects(kVm));
}

TEST_CASE("stale: a copy that cannot be ended is not taken for a VM that was moved on meanwhile") {
  World world(true);
  world.third();
  // Its emulator hangs on dead storage, and goes on once that is back.
  world.b.libvirt.failNext(Call::destroy, {Code::failed, "Device or resource busy"}, 1'000'000);
  const auto id = lastWordIsLost(world);
  REQUIRE(world.ends(Millis(90'000)));
  REQUIRE(world.operation().state == State::needs_person);
  world.b.libvirt.vm(kVm).presence.state = Where::paused;
  world.both_may_run = false;
  movesToC(world);
  world.time.run(Millis(120'000));
  const auto arrival = *world.b.arrivals->find(id);
  CHECK(arrival.state == State::needs_person);
  CHECK_FALSE(arrival.confirmed);
  CHECK(world.b.libvirt.count("resume") == 0);
  CHECK_FALSE(world.b.libvirt.runs(kVm));
}

TEST_CASE("stale: a VM that ran on and died has not moved to the copy that was to be ended") {
  World world(true);
  world.b.libvirt.failNext(Call::destroy, {Code::failed, "Device or resource busy"}, 1'000'000);
  const auto id = lastWordIsLost(world);
  // Two seconds beside the copy are enough, and more change nothing.
  world.time.run(Millis(GENERATE(4'000, 20'000)));
  REQUIRE(world.operation().state == State::settling);
  world.a.libvirt.crash(kVm);
  REQUIRE(world.ends(Millis(30'000)));
  CHECK(world.operation().state == State::needs_person);
  CHECK(advises(world.operation(), "end the copy at b"));
  CHECK(world.a.libvirt.count("undefine") == 0);
  world.time.run(Millis(120'000));
  const auto arrival = *world.b.arrivals->find(id);
  CHECK(arrival.state == State::needs_person);
  CHECK_FALSE(arrival.confirmed);
  CHECK(advises(arrival, "virsh destroy web"));
}

TEST_CASE("stale: a copy that a person resumed at the destination is none to be ended") {
  World world(true);
  const auto id = lastWordIsLost(world);
  world.cut(true);
  bHears(world, false);
  world.time.run(Millis(15'000));
  REQUIRE(world.b.arrivals->suspended(kVm));
  world.b.libvirt.vm(kVm).presence.state = Where::running;
  world.time.run(Millis(10'000));
  REQUIRE(world.b.arrivals->find(id)->confirmed);
  world.cut(false);
  bHears(world, true);
  REQUIRE(world.ends(Millis(20'000)));
  CHECK(world.operation().state == State::needs_person);
  CHECK(advises(world.operation(), "end one of the two at once"));
  CHECK_FALSE(advises(world.operation(), "end the copy at b"));
  CHECK_FALSE(world.operation().record.to_be_ended);
  CHECK(world.a.libvirt.runs(kVm));
  CHECK(world.b.libvirt.runs(kVm));
}

TEST_CASE(
    "stale: a VM that dies while libvirt still clears up at the destination is started again") {
  World world(true);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the connection was closed"));
  REQUIRE(world.b.libvirt.find(kVm) != nullptr);
  world.time.run(Millis(5'000));
  world.a.libvirt.crash(kVm);
  world.time.run(Millis(3'000));
  world.b.libvirt.remove(kVm);
  REQUIRE(world.ends(Millis(30'000)));
  CHECK(world.operation().record.restarted);
  CHECK(world.a.libvirt.runs(kVm));
}

}  // namespace
}  // namespace virtseer::sim
