#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE("A guest that is paused for an hour goes on with times in order") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 3);
  // The guest's monotonic clock stands while it is paused.
  world.clock.advance(Millis(3'600'000));
  world.live(daemon, 3);
  requireWhole(daemon.rows, 1, world.guest.made());
  REQUIRE(daemon.rows.back().time == world.clock.wall());
}

TEST_CASE("A guest that was paused without a reader is never stamped before what is stored") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 3);
  world.port.breakLink();
  world.live(daemon, 2);
  world.clock.advance(Millis(60'000));
  daemon.connect(world.port);
  world.live(daemon, 1);
  requireWhole(daemon.rows, 1, world.guest.made());
}

TEST_CASE("A guest whose clock runs far too fast cannot push its rows before what is stored") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 3);
  world.port.breakLink();
  world.live(daemon, 2);
  world.guest.advance(Millis(1'000'000));
  daemon.connect(world.port);
  world.live(daemon, 1);
  requireWhole(daemon.rows, 1, world.guest.made());
}

TEST_CASE("A silent agent is greeted again, and a restarted one answers") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 2);
  const auto before = daemon.rows.size();
  world.guest = Guest(192 * 1024, 78);
  REQUIRE(daemon.greetings == 1);
  // The new agent says nothing until it is greeted; the channel does not tell that it is new.
  for (int i = 0; i < 10; ++i) {
    world.advance(Millis(5000));
    world.guest.echo();
    world.exchange(daemon);
  }
  REQUIRE(daemon.greetings == 2);
  REQUIRE(daemon.rows.size() == before + world.guest.made());
  REQUIRE(daemon.rows.back().epoch == 78);
}

}  // namespace virtseer::sim
