#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE("While the host's clock is behind what is stored, the guest keeps its echoes") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 3);
  const auto before = daemon.rows.size();

  world.clock.stepWall(Millis(-60'000));
  for (int i = 0; i < 6; ++i) {
    world.live(daemon, 1);
    REQUIRE(daemon.closed == "too early");
    REQUIRE(daemon.rows.size() == before);
    daemon.connect(world.port);
  }
  // Caught up: what was kept comes, as late as it is, and nothing is lost or doubled.
  world.advance(Millis(60'000));
  daemon.connect(world.port);
  world.live(daemon, 2);
  REQUIRE(daemon.closed.empty());
  requireWhole(daemon.rows, 1, world.guest.made());
  REQUIRE(daemon.rows.size() >= before + 8);
  REQUIRE(daemon.counters().lost == 0);
}

}  // namespace virtseer::sim
