#include "sim/act/world.h"

/// What was judged is true no longer when it is acted upon, or never proved what it seemed to.
namespace virtseer::sim {
namespace {

using Where = Presence::State;

/// While the store does not take a note with these words, the world changes; then it does.
void changeWhileWriting(World& world, std::string words, const std::function<void()>& change) {
  bool failing = false;
  world.a.journal.before_write = [&world, &failing, words](const Operation& operation) {
    if (failing || operation.steps.back().note.find(words) == std::string::npos) return;
    failing = true;
    world.a.journal.failure = Error{Code::unreachable, "the disk is gone"};
  };
  REQUIRE(world.time.runUntil([&] { return failing; }, Millis(60'000)));
  change();
  world.time.run(Millis(5'000));
  world.a.journal.before_write = nullptr;
  world.a.journal.failure.reset();
  world.time.run(Millis(1'500));
}

void leavePaused(World& world) {
  world.a.libvirt.vm(kVm).presence.state = Where::paused;
  world.a.libvirt.vm(kVm).presence.reason = "paused: migration";
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the other side is gone"));
}

TEST_CASE("a source that died is not started if it runs elsewhere once that is written down") {
  World world;
  world.none_may_run_for = Millis(120'000);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.crash(kVm);
  changeWhileWriting(world, "started again", [&] { world.b.libvirt.add(kVm, "web"); });
  CHECK(world.a.libvirt.count("start ") == 0);
  REQUIRE(world.ends());
  world.checkRunsAtBOnly();
}

TEST_CASE("a paused source is not resumed if it runs elsewhere once that is written down") {
  World world;
  world.none_may_run_for = Millis(120'000);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.b.libvirt.remove(kVm);
  leavePaused(world);
  changeWhileWriting(world, "resumed here", [&] { world.b.libvirt.add(kVm, "web"); });
  CHECK(world.a.libvirt.count("resume") == 0);
  REQUIRE(world.ends());
  world.checkRunsAtBOnly();
}

TEST_CASE("a paused source is not ended if its copy is gone once that is written down") {
  World world;
  world.none_may_run_for = Millis(120'000);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.switchOver(kVm);
  leavePaused(world);
  changeWhileWriting(world, "ended here", [&] { world.b.libvirt.remove(kVm); });
  CHECK(world.a.libvirt.count("destroy") == 0);
  REQUIRE(world.ends());
  world.checkRunsAtAOnly();
}

TEST_CASE("a definition that was at the destination before, off and crashed, proves no move") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.b.libvirt.add(kVm, "web").presence = {
      .state = Where::off, .defined = true, .crashed = true, .reason = "crashed"};
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  SECTION("the source died") {
    world.a.libvirt.crash(kVm);
  }
  SECTION("the source is paused") {
    leavePaused(world);
  }
  world.b.libvirt.vm(kVm).presence = {
      .state = Where::off, .defined = true, .crashed = true, .reason = "crashed"};
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK(world.a.peer->count("revive") == 0);
  CHECK(world.a.libvirt.count("destroy") == 0);
  CHECK(world.a.libvirt.count("undefine") == 0);
  CHECK(world.a.libvirt.find(kVm) != nullptr);
}

TEST_CASE("a VM that is active at its destination already is not moved there") {
  World world;
  world.both_may_run = true;
  world.b.libvirt.add(kVm, "web");
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::refused);
  CHECK(world.a.libvirt.count("migrate") == 0);
}

TEST_CASE("a restarted daemon follows a move for as long as libvirt is silent") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.kill();
  world.a.start();
  world.time.run(Millis(1'000));
  world.a.libvirt.disconnect("libvirtd was killed");
  world.time.run(Millis(100'000));
  CHECK(world.operation().state == State::migrating);
  world.a.libvirt.reconnect();
  world.time.run(Millis(30'000));
  CHECK(world.operation().state == State::migrating);
  CHECK(world.a.libvirt.count("abortJob") == 0);
  world.a.libvirt.finishMove(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
}

TEST_CASE("a move that is found to go on is followed again, each time, and can be aborted") {
  World world;
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.kill();
  world.a.start();
  for (int i = 0; i < 3; ++i) {
    world.a.libvirt.failNext(FakeActions::Call::progress, {Code::not_found, "no job runs"});
    REQUIRE(world.reaches(State::settling, Millis(5'000)));
    REQUIRE(world.reaches(State::migrating, Millis(5'000)));
  }
  world.a.libvirt.failNext(FakeActions::Call::progress, {Code::not_found, "no job runs"});
  REQUIRE(world.reaches(State::settling, Millis(5'000)));
  world.time.run(Millis(500));
  REQUIRE(world.operation().state == State::settling);
  REQUIRE(world.a.abort(id));
  REQUIRE(world.ends(Millis(30'000)));
  CHECK(world.operation().state == State::aborted);
  world.checkRunsAtAOnly();
}

TEST_CASE(
    "a VM that runs here is not held for ever by a copy that nobody ends at the destination") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.failMove(kVm, {Code::failed, "the other side is gone"});
  auto& there = world.b.libvirt.add(kVm, "web");
  SECTION("it stands still there") {
    there.presence.state = Where::paused;
  }
  SECTION("it is still expected there") {
    there.presence.state = Where::incoming;
  }
  REQUIRE(world.reaches(State::settling, Millis(5'000)));
  world.time.run(Millis(50'000));
  REQUIRE(world.operation().state == State::settling);
  REQUIRE(world.ends(Millis(20'000)));
  const auto operation = world.operation();
  CHECK(operation.state == State::needs_person);
  CHECK(std::ranges::any_of(operation.advice, [](const auto& each) {
    return each.find("end the copy at b") != std::string::npos;
  }));
  CHECK(world.a.libvirt.runs(kVm));
  CHECK_FALSE(world.a.operations->busy(kVm));
  REQUIRE(world.a.moves.size() == 1);
  CHECK(world.a.moves.front().outcome == MoveOutcome::failed);
}

}  // namespace
}  // namespace virtseer::sim
