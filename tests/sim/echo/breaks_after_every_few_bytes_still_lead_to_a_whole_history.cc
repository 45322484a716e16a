#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE(
    "A link that breaks again and again, ever a little later, still leads to a whole history") {
  World world;
  Daemon daemon(world.clock);
  world.port.keeps_leftovers = true;
  for (std::size_t bytes = 40; bytes < 1500; bytes += 53) {
    daemon.connect(world.port);
    world.port.to_host_left = bytes;
    world.live(daemon, 1);
    daemon.leave(world.port);
  }
  daemon.connect(world.port);
  world.live(daemon, 2);

  requireWhole(daemon.rows, 1, world.guest.made());
  REQUIRE(daemon.counters().lost == 0);
}

TEST_CASE("A port that takes a few bytes at a time carries every echo") {
  World world;
  Daemon daemon(world.clock);
  world.guest.room_per_run = 7;
  daemon.connect(world.port);
  for (int i = 0; i < 4; ++i) {
    world.advance(Millis(5000));
    world.guest.echo();
    world.exchange(daemon, 400);
  }
  requireWhole(daemon.rows, 1, world.guest.made());
}

}  // namespace virtseer::sim
