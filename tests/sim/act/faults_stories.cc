#include "sim/act/world.h"

namespace virtseer::sim {
namespace {

using Where = Presence::State;
using Job = Presence::Job;

TEST_CASE("a link that is cut during the move makes it uncertain, and safe once it is back") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  // libvirt's call hangs, and aborts do not get through.
  world.a.libvirt.ignoreAborts(true);
  world.cut(true);
  REQUIRE(world.reaches(State::uncertain));
  CHECK(world.a.count("operation.uncertain") == 1);
  world.time.run(Millis(600'000));
  CHECK(world.operation().state == State::uncertain);
  CHECK(world.a.libvirt.count("resume") == 0);
  CHECK(world.a.libvirt.count("start ") == 0);
  CHECK(world.a.libvirt.count("destroy") == 0);

  world.a.libvirt.failMove(kVm, {Code::failed, "Timed out during operation"});
  world.cut(false);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  world.checkRunsAtAOnly();
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
}

TEST_CASE("while libvirt's call is out the move is not called off") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.ignoreAborts(true);
  REQUIRE(world.reaches(State::settling));
  // No job can be seen on either side, and yet libvirt has not said that it gave up.
  world.a.libvirt.endJobs(kVm);
  world.b.libvirt.remove(kVm);
  world.time.run(Millis(120'000));
  CHECK(world.operation().state == State::settling);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "gave up"));
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
}

TEST_CASE("the last word is lost and libvirt sets the source going: the destination's copy ends") {
  World world;
  world.both_may_run = true;  // it is libvirt that breaks the rule here; the daemons must mend it
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.switchOver(kVm);
  world.cut(true);
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the connection was closed"));
  world.a.libvirt.vm(kVm).presence.state = Where::running;
  REQUIRE(world.reaches(State::uncertain));
  // Nobody answers the destination's daemon: it suspends its copy.
  world.b.libvirt.vm(kVm).presence.state = Where::paused;
  world.b.suspended = true;
  world.both_may_run = false;
  world.time.run(Millis(60'000));
  CHECK(world.operation().state == State::uncertain);
  world.cut(false);
  world.time.run(Millis(5'000));
  CHECK(world.operation().state == State::settling);
  CHECK(world.a.libvirt.runs(kVm));
  // It hears that the source runs, and destroys its own.
  world.b.libvirt.remove(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  world.checkRunsAtAOnly();
}

TEST_CASE("both copies run: the source waits for the destination's daemon to end its own") {
  World world;
  world.both_may_run = true;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.switchOver(kVm);
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the connection was closed"));
  world.a.libvirt.vm(kVm).presence.state = Where::running;
  world.time.run(Millis(30'000));
  CHECK(world.operation().state == State::settling);
  CHECK_THAT(world.operation().message, Catch::Contains("both"));
  CHECK(world.a.libvirt.count("destroy") == 0);
  CHECK(world.a.libvirt.count("suspend") == 0);
  world.b.libvirt.remove(kVm);
  world.both_may_run = false;
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  world.checkRunsAtAOnly();
}

TEST_CASE(
    "the last word is lost and the source stays paused: it is dropped, and the VM has moved") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.switchOver(kVm);
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the connection was closed"));
  world.time.run(Millis(9'000));
  CHECK(world.a.libvirt.count("destroy") == 0);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  world.checkRunsAtBOnly();
}

TEST_CASE("the source's emulator is killed before switch-over: it is started once more, there") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.run(Millis(1'000));
  world.a.libvirt.crash(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  CHECK_THAT(world.operation().message, Catch::Contains("started again"));
  CHECK(world.a.libvirt.count("start ") == 1);
  world.checkRunsAtAOnly();
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
}

TEST_CASE("the source's emulator is killed, and the destination is silent: nothing is started") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.cut(true);
  world.a.libvirt.crash(kVm);
  REQUIRE(world.reaches(State::uncertain));
  world.time.run(Millis(600'000));
  CHECK(world.a.libvirt.count("start ") == 0);
  world.cut(false);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  world.checkRunsAtAOnly();
}

TEST_CASE("the source's emulator dies again after its restart: a person is told") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.a.libvirt.failNext(FakeActions::Call::start, {Code::failed, "no such image"});
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.crash(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("no such image"));
  CHECK(world.a.libvirt.count("start ") == 1);
  CHECK_FALSE(world.operation().advice.empty());
}

TEST_CASE("the source's emulator is killed after switch-over: the VM has moved") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.switchOver(kVm);
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the emulator died"));
  world.a.libvirt.crash(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.a.libvirt.count("start ") == 0);
  world.checkRunsAtBOnly();
}

TEST_CASE("the destination's emulator is killed before switch-over: the VM stays") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.run(Millis(1'000));
  world.b.libvirt.remove(kVm);
  world.a.libvirt.failMove(kVm, {Code::failed, "the other side is gone"});
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  world.checkRunsAtAOnly();
}

TEST_CASE("the destination's emulator is killed while libvirt leaves the source paused") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.b.libvirt.remove(kVm);
  world.a.libvirt.vm(kVm).presence.state = Where::paused;
  world.a.libvirt.vm(kVm).presence.reason = "paused: migration";
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the other side is gone"));
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  CHECK(world.a.libvirt.count("resume") == 1);
  world.checkRunsAtAOnly();
}

TEST_CASE("the destination's emulator is killed after switch-over: it is started there once") {
  World world;
  world.movesTake(Millis(2'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.time.run(Millis(5'000));
  world.b.libvirt.crash(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.a.peer->count("revive") == 1);
  world.checkRunsAtBOnly();

  SECTION("and if it dies again a person is told") {
    World again;
    again.none_may_run_for = Millis(3'600'000);
    again.movesTake(Millis(2'000));
    again.begin();
    REQUIRE(again.reaches(State::verifying));
    again.b.libvirt.crash(kVm);
    again.time.run(Millis(5'000));
    REQUIRE(again.b.libvirt.runs(kVm));
    again.b.libvirt.crash(kVm);
    REQUIRE(again.ends());
    CHECK(again.operation().state == State::needs_person);
    CHECK(again.a.peer->count("revive") == 1);
    CHECK(again.a.libvirt.count("start ") == 0);
  }
}

TEST_CASE("a destination that falls silent while the VM is watched makes it uncertain, no more") {
  World world;
  world.movesTake(Millis(2'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.time.run(Millis(5'000));
  world.cut(true);
  REQUIRE(world.reaches(State::uncertain, Millis(20'000)));
  world.time.run(Millis(300'000));
  CHECK(world.operation().state == State::uncertain);
  world.cut(false);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  world.checkRunsAtBOnly();
}

TEST_CASE("libvirt here is lost during the move, which goes on without it") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.disconnect("libvirtd was restarted");
  REQUIRE(world.reaches(State::uncertain, Millis(10'000)));
  world.time.run(Millis(60'000));
  world.a.libvirt.reconnect();
  REQUIRE(world.reaches(State::migrating));
  world.time.run(Millis(2'000));
  world.a.libvirt.finishMove(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  world.checkRunsAtBOnly();
}

TEST_CASE("a peer that is another machine by now proves nothing") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.kill();
  world.a.peers = {};
  const auto stranger = world.a.peers.add("b", kVm2, world.b.uri());
  stranger->on_vm = [](Uuid) -> boost::asio::awaitable<Result<RemoteVm>> { co_return RemoteVm{}; };
  world.a.libvirt.crash(kVm);
  world.none_may_run_for = Millis(3'600'000);
  world.a.start();
  world.time.run(Millis(120'000));
  CHECK(world.operation().state == State::uncertain);
  CHECK(world.a.libvirt.count("start ") == 0);
}

}  // namespace
}  // namespace virtseer::sim
