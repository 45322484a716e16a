#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE("Whole echoes that an earlier reader left in the port are dropped and come again") {
  World world;
  Daemon first(world.clock), second(world.clock);
  world.port.keeps_leftovers = true;
  first.connect(world.port);
  world.live(first, 2);
  // The guest writes five echoes that the first reader never takes.
  for (int i = 0; i < 5; ++i) {
    world.advance(Millis(5000));
    world.guest.echo();
    world.guest.run(world.port);
  }
  first.leave(world.port);
  REQUIRE_FALSE(world.port.to_host.empty());

  second.connect(world.port);
  world.exchange(second);

  REQUIRE(second.counters().stale == 5);
  REQUIRE(second.counters().faults == 0);
  requireWhole(second.rows, first.rows.back().sequence + 1, world.guest.made());
}

TEST_CASE("A hello that answered an earlier greeting opens nothing") {
  World world;
  Daemon daemon(world.clock);
  world.port.keeps_leftovers = true;
  daemon.connect(world.port);
  world.guest.run(world.port);
  daemon.connect(world.port);
  daemon.run(world.port);
  REQUIRE(daemon.rows.empty());
  REQUIRE(daemon.counters().stale > 0);
  world.exchange(daemon);
  requireWhole(daemon.rows, 1, world.guest.made());
}

}  // namespace virtseer::sim
