#include "sim/act/world.h"

namespace virtseer::sim {
namespace {

/// The truth that every ended operation must tell.
void checkTruth(World& world) {
  const auto operation = world.operation();
  INFO(name(operation.state) << ": " << operation.message);
  const bool here = world.a.libvirt.runs(kVm);
  const bool there = world.b.libvirt.runs(kVm);
  CHECK(here != there);
  switch (operation.state) {
    case State::done:
      CHECK(there);
      CHECK(world.a.libvirt.find(kVm) == nullptr);
      CHECK(world.b.libvirt.vm(kVm).definition.autostart);
      break;
    case State::failed:
    case State::aborted:
    case State::refused:
    case State::returned:
      CHECK(here);
      CHECK(world.b.libvirt.find(kVm) == nullptr);
      CHECK(world.a.libvirt.vm(kVm).definition.autostart);
      break;
    default:
      FAIL("it ended as " << name(operation.state));
  }
}

TEST_CASE("the daemon is killed once each state is written down, and comes back") {
  // The first write is migrate() itself; more than a whole move writes find nothing to kill.
  int killed = 0;
  for (int nth = 2; nth <= 12; ++nth) {
    World world;
    world.movesTake(Millis(3'000));
    int writes = 0;
    bool kill = false;
    world.a.journal.after_write = [&](State) -> boost::asio::awaitable<void> {
      if (++writes != nth) co_return;
      kill = true;
      co_await world.time.pause(Millis(3'600'000));
    };
    boost::asio::co_spawn(
        world.time.loop(),
        [](World& the_world) -> boost::asio::awaitable<void> {
          std::ignore = co_await the_world.a.operations->migrate(order(kVm, "b"));
        }(world),
        [](std::exception_ptr) {});
    INFO("killed at write " << nth);
    world.time.runUntil([&] { return kill; }, Millis(120'000));
    if (!kill) break;
    ++killed;
    world.a.kill();
    world.time.run(Millis(5'000));
    world.a.start();
    REQUIRE(world.ends());
    checkTruth(world);
  }
  CHECK(killed >= 8);
}

TEST_CASE("the daemon is killed within each question and act, and comes back") {
  using Call = FakeActions::Call;
  for (const auto call : {Call::presence, Call::definition, Call::placed, Call::host,
                          Call::set_autostart, Call::migrate, Call::progress}) {
    for (const bool takes_effect : {false, true}) {
      World world;
      world.movesTake(Millis(3'000));
      if (call != Call::presence) world.a.libvirt.hold(call);
      world.begin();
      world.a.libvirt.hold(call);
      const auto held = [&] { return world.a.libvirt.held(call) > 0; };
      INFO("call " << static_cast<int>(call) << (takes_effect ? ", done" : ", not done"));
      REQUIRE(world.time.runUntil(held, Millis(30'000)));
      // Released and killed in one go: the act is done, and the daemon does nothing after it.
      if (takes_effect) world.a.libvirt.release(call);
      world.a.kill();
      world.a.libvirt.release(call);
      world.time.run(Millis(5'000));
      world.a.start();
      REQUIRE(world.ends());
      checkTruth(world);
    }
  }
}

TEST_CASE("the daemon is killed at any time of a move, and comes back") {
  for (Millis at(0); at < Millis(80'000); at += at < Millis(8'000) ? Millis(400) : Millis(9'000))
    for (const auto away : {Millis(1'000), Millis(40'000)}) {
      World world;
      world.movesTake(Millis(3'000));
      world.begin();
      world.time.run(at);
      INFO("killed after " << at.count() << " ms for " << away.count() << " ms");
      world.a.kill();
      world.time.run(away);
      world.a.start();
      REQUIRE(world.ends());
      checkTruth(world);
    }
}

TEST_CASE("the daemons do not hear each other at any time of a move") {
  for (Millis at(0); at < Millis(80'000); at += at < Millis(8'000) ? Millis(400) : Millis(9'000))
    for (const auto away : {Millis(1'000), Millis(40'000)}) {
      World world;
      world.movesTake(Millis(3'000));
      world.begin();
      world.time.run(at);
      INFO("silent after " << at.count() << " ms for " << away.count() << " ms");
      world.cut(true);
      world.time.run(away);
      world.cut(false);
      REQUIRE(world.ends());
      checkTruth(world);
    }
}

TEST_CASE("libvirt at the source is lost at any time of a move") {
  for (Millis at(0); at < Millis(80'000); at += at < Millis(8'000) ? Millis(400) : Millis(9'000)) {
    World world;
    world.movesTake(Millis(3'000));
    world.begin();
    world.time.run(at);
    INFO("lost after " << at.count() << " ms");
    world.a.libvirt.disconnect("libvirtd was killed");
    world.time.run(Millis(20'000));
    world.a.libvirt.reconnect();
    REQUIRE(world.ends());
    checkTruth(world);
  }
}

TEST_CASE("the daemon is killed at any time of a return, and comes back") {
  int returned = 0;
  for (Millis at(60'000); at < Millis(150'000); at += Millis(5'000)) {
    World world;
    world.movesTake(Millis(3'000));
    world.b.wellbeing.cpu_delay_cores = 3.0;
    world.begin();
    world.time.run(at);
    INFO("killed after " << at.count() << " ms");
    world.a.kill();
    world.time.run(Millis(3'000));
    world.a.start();
    REQUIRE(world.ends());
    const auto operation = world.operation();
    INFO(name(operation.state) << ": " << operation.message);
    CHECK(operation.state == State::returned);
    world.checkRunsAtAOnly();
    CHECK(world.b.operations->all().size() == 1);
    ++returned;
  }
  CHECK(returned == 18);
}

TEST_CASE("a daemon that comes back undoes what it had cleared before anything moved") {
  World world;
  world.a.libvirt.hold(FakeActions::Call::set_autostart);
  world.begin();
  REQUIRE(world.reaches(State::preparing));
  world.a.libvirt.release(FakeActions::Call::set_autostart);
  world.a.libvirt.hold(FakeActions::Call::migrate);
  REQUIRE(world.reaches(State::migrating));
  REQUIRE_FALSE(world.a.libvirt.vm(kVm).definition.autostart);
  world.a.kill();
  // The state before the move was on the disk, the one after was not.
  auto& kept = world.a.journal.kept.begin()->second;
  kept.state = State::preparing;
  kept.record.asked_to_move = false;
  world.a.start();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  CHECK_THAT(world.operation().message, Catch::Contains("restarted before anything moved"));
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  world.checkRunsAtAOnly();
}

}  // namespace
}  // namespace virtseer::sim
