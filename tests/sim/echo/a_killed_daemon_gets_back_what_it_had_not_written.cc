#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE("A daemon that is killed gets back from the ring what it had not written") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 3);
  const auto written = daemon.rows.size();
  for (int i = 0; i < 4; ++i) {
    world.advance(Millis(5000));
    world.guest.echo();
    world.exchange(daemon);
  }
  REQUIRE(daemon.rows.size() == written + 4);

  daemon.restart(world.port);
  REQUIRE(daemon.rows.size() == written);
  world.live(daemon, 2);
  daemon.connect(world.port);
  world.live(daemon, 2);

  requireWhole(daemon.rows, 1, world.guest.made());
  REQUIRE(daemon.counters().lost == 0);
}

TEST_CASE("Echoes from while no daemon ran are stamped with the time at which they were made") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 2);
  daemon.restart(world.port);
  const auto away = world.clock.wall();
  world.live(daemon, 10);
  world.advance(Millis(2000));
  const auto before = daemon.rows.size();
  daemon.connect(world.port);
  world.exchange(daemon);

  REQUIRE(daemon.rows.size() == before + 11);
  for (std::size_t i = 0; i < 10; ++i)
    REQUIRE(daemon.rows[before + i].time == away + (static_cast<int>(i) + 1) * Millis(5000));
  REQUIRE(daemon.rows.back().time == world.clock.wall());
}

}  // namespace virtseer::sim
