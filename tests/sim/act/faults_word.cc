#include "sim/act/world.h"

/// A destination that never comes back: what its silence is told as, and what a person's word ends.
namespace virtseer::sim {
namespace {

using Where = Presence::State;

bool advises(const Operation& operation, std::string_view words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& each) { return each.find(words) != std::string::npos; });
}

void loseB(World& world) {
  world.none_may_run_for = Millis(3'600'000);
  world.cut(true);
  world.a.peer->port_answers = false;
}

/// The VM has moved, is watched, and its host is lost.
std::string lostOnceItHadMoved(World& world) {
  world.movesTake(Millis(1'000));
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::verifying));
  REQUIRE(world.a.libvirt.find(kVm) == nullptr);
  loseB(world);
  world.b.libvirt.remove(kVm);
  REQUIRE(world.reaches(State::uncertain));
  return id;
}

TEST_CASE("a silent destination comes with advice, until it answers again") {
  World world;
  const auto id = lostOnceItHadMoved(world);
  CHECK(advises(world.operation(), "virtseer abort " + id + " --fenced"));
  world.b.libvirt.add(kVm, "web");
  world.cut(false);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.operation().advice.empty());
}

TEST_CASE(
    "a person's word ends it: the definition is at the source again, and nothing is started") {
  World world;
  const auto id = lostOnceItHadMoved(world);
  const auto asked = world.a.abort(id, true);
  REQUIRE(asked);
  REQUIRE(world.ends(Millis(10'000)));
  const auto operation = world.operation();
  CHECK(operation.state == State::needs_person);
  CHECK_THAT(operation.message, Catch::Contains("powered off for good"));
  CHECK(advises(operation, "virsh start"));
  CHECK(advises(operation, "only once you have made sure that b is off, or does not run it"));
  CHECK_FALSE(advises(operation, "--fenced"));
  REQUIRE(world.a.libvirt.find(kVm) != nullptr);
  CHECK(world.a.libvirt.vm(kVm).presence.state == Where::off);
  // The word may be wrong: what starts with this host would be a second copy.
  CHECK_FALSE(world.a.libvirt.vm(kVm).definition.autostart);
  CHECK(advises(operation, "virsh autostart"));
  CHECK(world.a.libvirt.count("start ") == 0);
  CHECK_FALSE(world.a.operations->busy(kVm));
  CHECK(world.a.journal.kept.at(id).record.definition.empty());
}

TEST_CASE("a person's word about a VM that runs at the source lets it stay") {
  World world;
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  loseB(world);
  world.a.libvirt.failMove(kVm, {Code::failed, "the other side is gone"});
  world.b.libvirt.remove(kVm);
  REQUIRE(world.reaches(State::uncertain));
  REQUIRE(world.a.abort(id, true));
  REQUIRE(world.ends(Millis(10'000)));
  CHECK(world.operation().state == State::failed);
  world.checkRunsAtAOnly();
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
}

TEST_CASE("a person's word about a VM that died at the source starts nothing either") {
  World world;
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  loseB(world);
  world.a.libvirt.crash(kVm);
  REQUIRE(world.reaches(State::uncertain));
  REQUIRE(world.a.abort(id, true));
  REQUIRE(world.ends(Millis(10'000)));
  CHECK(world.operation().state == State::needs_person);
  CHECK(world.a.libvirt.count("define") == 0);
  CHECK(world.a.libvirt.count("start ") == 0);
  CHECK_FALSE(world.a.libvirt.vm(kVm).definition.autostart);
  CHECK(advises(world.operation(), "virsh autostart"));
}

TEST_CASE("a person's word is refused while the host answers, or if nothing is uncertain") {
  World world;
  const auto id = lostOnceItHadMoved(world);
  SECTION("its port answers, if only by refusing") {
    world.a.peer->port_answers = true;
  }
  SECTION("its daemon answers") {
    world.a.peer->silent = false;
  }
  const auto asked = world.a.abort(id, true);
  REQUIRE_FALSE(asked);
  CHECK(asked.error().code == Code::refused);
  CHECK(world.operation().state == State::uncertain);

  World sure;
  sure.movesTake(Millis(1'000));
  const auto other = sure.begin().id;
  REQUIRE(sure.reaches(State::verifying));
  const auto early = sure.a.abort(other, true);
  REQUIRE_FALSE(early);
  CHECK(early.error().code == Code::refused);
}

TEST_CASE("a destination that answers before a person's word is acted upon proves it wrong") {
  World world;
  const auto id = lostOnceItHadMoved(world);
  world.a.libvirt.hold(FakeActions::Call::presence);
  const auto asking = [&] { return world.a.libvirt.held(FakeActions::Call::presence) > 0; };
  REQUIRE(world.time.runUntil(asking, Millis(5'000)));
  REQUIRE(world.a.abort(id, true));
  world.b.libvirt.add(kVm, "web");
  world.cut(false);
  world.a.libvirt.release(FakeActions::Call::presence);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.a.libvirt.count("define") == 0);
}

TEST_CASE("a destination that falls silent before it took over makes it uncertain, not forgotten") {
  World world;
  world.movesTake(Millis(1'000));
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::verifying));
  world.time.run(world.a.rules.watch - Millis(3'000));
  REQUIRE(world.operation().state == State::verifying);
  world.a.peer->on_commit = [&, commit = world.a.peer->on_commit](std::string of,
                                                                  CommitOrder order) {
    if (world.b.committed.empty()) loseB(world);
    return commit(std::move(of), std::move(order));
  };
  REQUIRE(world.reaches(State::committing));
  REQUIRE(world.reaches(State::uncertain, Millis(20'000)));
  CHECK(advises(world.operation(), "--fenced"));
  SECTION("and complete once it answers") {
    world.cut(false);
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::done);
    CHECK(world.operation().advice.empty());
    world.checkRunsAtBOnly();
  }
  SECTION("and ended by a person's word") {
    world.b.libvirt.remove(kVm);
    REQUIRE(world.a.abort(id, true));
    REQUIRE(world.ends(Millis(10'000)));
    CHECK(world.operation().state == State::needs_person);
    CHECK(world.a.libvirt.vm(kVm).presence.state == Where::off);
  }
  SECTION("also over a restart") {
    world.a.kill();
    world.a.start();
    world.time.run(Millis(30'000));
    CHECK(world.operation().state == State::uncertain);
    world.cut(false);
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::done);
    world.checkRunsAtBOnly();
  }
}

TEST_CASE("a person's word ends a way back that is uncertain") {
  World world;
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  world.a.peer->on_send_back = [](std::string) -> boost::asio::awaitable<Result<Operation>> {
    co_return fail(Code::busy, "2 migrations are under way");
  };
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::returning));
  loseB(world);
  world.b.libvirt.remove(kVm);
  REQUIRE(world.reaches(State::uncertain));
  REQUIRE(world.a.abort(id, true));
  REQUIRE(world.ends(Millis(10'000)));
  CHECK(world.operation().state == State::needs_person);
  CHECK(world.a.libvirt.vm(kVm).presence.state == Where::off);
}

TEST_CASE("a person's word holds for one silence, not for the next") {
  World world;
  const auto id = lostOnceItHadMoved(world);
  world.a.libvirt.disconnect("libvirtd is being restarted");
  world.time.run(Millis(1'000));
  REQUIRE(world.a.abort(id, true));
  world.b.libvirt.add(kVm, "web");
  world.cut(false);
  world.a.libvirt.reconnect();
  REQUIRE(world.reaches(State::verifying));
  world.cut(true);
  REQUIRE(world.reaches(State::uncertain));
  world.time.run(Millis(60'000));
  CHECK(world.operation().state == State::uncertain);
  world.cut(false);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
}

/// Its end, once b was said to be off though it was only out of reach.
std::string endedOnAWrongWord(World& world) {
  const auto id = lostOnceItHadMoved(world);
  world.b.libvirt.add(kVm, "web");
  REQUIRE(world.a.abort(id, true));
  REQUIRE(world.ends(Millis(10'000)));
  REQUIRE(world.operation().state == State::needs_person);
  return id;
}

void linkIsMended(World& world) {
  world.cut(false);
  world.a.peer->port_answers = true;
  world.time.run(Millis(30'000));
}

TEST_CASE("a person's word that was wrong is said to be wrong once the host answers") {
  World world;
  const auto id = endedOnAWrongWord(world);
  SECTION("at once") {
    world.time.run(Millis(60'000));
  }
  SECTION("though the daemon was killed since") {
    world.a.kill();
    world.a.start();
  }
  CHECK(world.a.count("operation.contradicted") == 0);
  linkIsMended(world);
  const auto operation = world.operation();
  CHECK(operation.state == State::needs_person);
  CHECK_THAT(operation.message,
             Catch::Contains("b answers again and has web: it is running there"));
  CHECK_FALSE(advises(operation, "virsh start"));
  CHECK_FALSE(advises(operation, "virsh autostart"));
  CHECK(advises(operation, "do not start it at a"));
  CHECK(advises(operation, "virsh undefine"));
  CHECK(world.a.count("operation.contradicted") == 1);
  CHECK(world.a.journal.kept.at(id).advice == operation.advice);
  // It was said once.
  world.a.kill();
  world.a.start();
  world.time.run(Millis(60'000));
  CHECK(world.a.count("operation.contradicted") == 1);
  CHECK(world.b.libvirt.runs(kVm));
  CHECK_FALSE(world.a.libvirt.runs(kVm));
}

TEST_CASE("a host that was off as a person had said, and is back without the VM, changes nothing") {
  World world;
  const auto id = lostOnceItHadMoved(world);
  REQUIRE(world.a.abort(id, true));
  REQUIRE(world.ends(Millis(10'000)));
  linkIsMended(world);
  CHECK(world.a.count("operation.contradicted") == 0);
  CHECK(advises(world.operation(), "virsh start"));
  // Whatever it runs later is not of this operation.
  world.b.libvirt.add(kVm, "web");
  world.time.run(Millis(60'000));
  CHECK(world.a.count("operation.contradicted") == 0);
}

/// A person has started it at a, and b, which was not off, still has its copy.
std::string startedThough(World& world, Where there) {
  auto id = endedOnAWrongWord(world);
  world.both_may_run = true;
  world.b.libvirt.vm(kVm).presence.state = there;
  world.a.libvirt.vm(kVm).presence.state = Where::running;
  return id;
}

TEST_CASE("a copy that its daemon may end by itself costs nobody the one that runs") {
  World world;
  const auto there = GENERATE(Where::paused, Where::incoming, Where::running);
  const auto id = startedThough(world, there);
  linkIsMended(world);
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("b answers again and has web"));
  CHECK(advises(world.operation(), "leave the one at a alone"));
  CHECK(advises(world.operation(), "if the copy at b is still there after a minute"));
  CHECK_FALSE(advises(world.operation(), "end one of the two"));
  CHECK_FALSE(advises(world.operation(), "virsh start"));
  CHECK(world.a.count("operation.contradicted") == 1);
  CHECK(world.a.journal.kept.at(id).advice == world.operation().advice);
  SECTION("which it does") {
    world.b.libvirt.remove(kVm);
    world.time.run(Millis(30'000));
    CHECK_FALSE(advises(world.operation(), "virsh destroy"));
    CHECK_THAT(world.operation().message, Catch::Contains("web runs at a"));
    CHECK(advises(world.operation(), "virsh autostart"));
    CHECK(world.a.count("operation.contradicted") == 1);
  }
  SECTION("which it does while the daemon here is away") {
    world.a.kill();
    world.b.libvirt.remove(kVm);
    world.a.start();
    world.time.run(Millis(30'000));
    CHECK_FALSE(advises(world.operation(), "virsh destroy"));
    CHECK(world.a.count("operation.contradicted") == 1);
  }
  SECTION("which it does not") {
    world.time.run(Millis(120'000));
    CHECK(advises(world.operation(), "end one of the two at once") == (there == Where::running));
    CHECK(world.a.count("operation.contradicted") == (there == Where::running ? 2 : 1));
  }
}

/// With both halves: it has moved, is confirmed at b, and a person says that b is off.
std::string endedThoughConfirmed(World& world) {
  world.movesTake(Millis(1'000));
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::verifying));
  world.time.run(Millis(3'000));
  REQUIRE(world.b.arrivals->find(id)->confirmed);
  loseB(world);
  REQUIRE(world.reaches(State::uncertain));
  REQUIRE(world.a.abort(id, true));
  REQUIRE(world.ends(Millis(10'000)));
  return id;
}

TEST_CASE("a copy that was confirmed and one started on a wrong word are told of as two at once") {
  World world(true);
  endedThoughConfirmed(world);
  world.both_may_run = true;
  world.a.libvirt.vm(kVm).presence.state = Where::running;
  linkIsMended(world);
  CHECK(advises(world.operation(), "end one of the two at once"));
  CHECK_FALSE(advises(world.operation(), "leave the one at a alone"));
  CHECK(world.a.count("operation.contradicted") == 1);
}

TEST_CASE("two copies that both run for a minute are told of as such") {
  World world;
  startedThough(world, Where::paused);
  linkIsMended(world);
  world.b.libvirt.vm(kVm).presence.state = Where::running;
  world.time.run(Millis(50'000));
  CHECK_FALSE(advises(world.operation(), "end one of the two"));
  // While b is silent nobody knows.
  world.cut(true);
  world.time.run(Millis(60'000));
  world.cut(false);
  world.time.run(Millis(50'000));
  CHECK_FALSE(advises(world.operation(), "end one of the two"));
  world.time.run(Millis(40'000));
  CHECK(advises(world.operation(), "end one of the two at once"));
  CHECK_FALSE(advises(world.operation(), "leave the one"));
  CHECK(advises(world.operation(), "both have written"));
}

TEST_CASE("both halves: a VM that is off at both hosts after a person's word starts at one only") {
  World world(true);
  const auto id = endedThoughConfirmed(world);
  // It was off, as was said, and boots.
  world.b.kill();
  world.b.libvirt.losePower(kVm);
  world.b.start();
  linkIsMended(world);
  const auto arrival = *world.b.arrivals->find(id);
  CHECK(arrival.state == State::needs_person);
  CHECK(advises(arrival, "start it at one host only"));
  CHECK(advises(arrival, "make sure first that a does not run it"));
  CHECK(advises(world.operation(), "only once you have made sure that b is off, or does not run"));
  CHECK(advises(world.operation(), "start it at one host only"));
  CHECK(advises(world.operation(), "remove its definition at b"));
}

TEST_CASE(
    "both halves: a move that a person's word has ended is over at a destination that is back") {
  World world(true);
  const auto id = endedThoughConfirmed(world);
  CHECK(world.b.arrivals->expects(kVm));
  linkIsMended(world);
  const auto arrival = *world.b.arrivals->find(id);
  CHECK(arrival.state == State::done);
  CHECK_THAT(arrival.message, Catch::Contains("the move has ended at a"));
  CHECK(advises(arrival, "virsh autostart"));
  CHECK(advises(arrival, "virsh undefine"));
  CHECK_FALSE(world.b.arrivals->expects(kVm));
  CHECK(world.b.libvirt.runs(kVm));
  CHECK_FALSE(world.a.libvirt.runs(kVm));
}

}  // namespace
}  // namespace virtseer::sim
