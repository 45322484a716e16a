#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE(
    "Acknowledgements that never arrive make the agent send again, and nothing is stored twice") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  for (int i = 0; i < 6; ++i) {
    world.advance(Millis(5000));
    world.guest.echo();
    world.exchange(daemon);
  }
  const auto made = world.guest.made();
  REQUIRE(world.guest.session().kept() == made);

  daemon.connect(world.port);
  world.exchange(daemon);

  REQUIRE(daemon.counters().duplicates >= made);
  requireWhole(daemon.rows, 1, world.guest.made());
}

TEST_CASE("What was stored before a break is released by the next greeting and not sent again") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.advance(Millis(5000));
  world.guest.echo();
  world.exchange(daemon);
  daemon.commit(world.port);
  world.port.to_guest.clear();
  world.port.breakLink();

  daemon.connect(world.port);
  world.exchange(daemon);

  REQUIRE(daemon.counters().duplicates == 0);
  requireWhole(daemon.rows, 1, world.guest.made());
}

}  // namespace virtseer::sim
