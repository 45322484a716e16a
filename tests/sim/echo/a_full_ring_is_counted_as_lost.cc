#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE("What a full ring pushed out is counted as lost, and the rest is whole") {
  World world(2000);
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 3);
  const auto before = daemon.rows.size();
  world.port.breakLink();
  world.live(daemon, 500);
  const auto dropped = world.guest.session().dropped();
  REQUIRE(dropped > 300);

  daemon.connect(world.port);
  world.live(daemon, 2);

  const auto& rows = daemon.rows;
  REQUIRE(daemon.counters().lost >= dropped);
  REQUIRE(daemon.counters().lost <= world.guest.session().dropped());
  REQUIRE(rows.size() + daemon.counters().lost == world.guest.made());
  REQUIRE(rows[before].sequence == before + daemon.counters().lost + 1);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    REQUIRE(rows[i].time > rows[i - 1].time);
    REQUIRE(rows[i].sequence ==
            rows[i - 1].sequence + 1 + (i == before ? daemon.counters().lost : 0));
  }
}

TEST_CASE("The replay of a full ring is not taken for a flood") {
  World world(1024 * 1024);
  collect::EchoLimits limits;
  limits.max_frames_per_second = 1;
  Daemon daemon(world.clock, limits);
  world.live(daemon, 5000);
  daemon.connect(world.port);
  world.exchange(daemon);
  REQUIRE(daemon.closed.empty());
  requireWhole(daemon.rows, 1, world.guest.made());
}

TEST_CASE("A ring that overflows while the daemon reads slowly is told from a broken link") {
  World world(1500);
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 2);
  // The guest writes into its ring alone: the port takes nothing.
  for (int i = 0; i < 200; ++i) {
    world.advance(Millis(5000));
    world.guest.echo();
  }
  for (int i = 0; i < 3; ++i) world.exchange(daemon);
  REQUIRE(daemon.greetings == 2);
  REQUIRE(daemon.rows.size() + daemon.counters().lost == world.guest.made());
  REQUIRE(daemon.closed.empty());
}

}  // namespace virtseer::sim
