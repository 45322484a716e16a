#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE("A VM reverted to an earlier state is taken on from there") {
  World world;
  Daemon daemon(world.clock);
  daemon.connect(world.port);
  world.live(daemon, 2);
  const auto made_then = world.guest.made();
  world.live(daemon, 6);
  const auto before = daemon.rows.size();
  daemon.leave(world.port);

  // The guest of then, with its numbers and its ring of then.
  Guest then;
  for (std::uint64_t i = 0; i < made_then; ++i) then.echo();
  world.guest = std::move(then);
  daemon.connect(world.port);
  world.live(daemon, 3);

  // Which echoes of the ring are from before and which from after cannot be known: those go.
  REQUIRE(daemon.rows.size() >= before + 2);
  REQUIRE(daemon.rows.back().sequence == world.guest.made());
  for (std::size_t i = before + 1; i < daemon.rows.size(); ++i)
    REQUIRE(daemon.rows[i].sequence == daemon.rows[i - 1].sequence + 1);
  for (std::size_t i = 1; i < daemon.rows.size(); ++i)
    REQUIRE(daemon.rows[i].time > daemon.rows[i - 1].time);
}

}  // namespace virtseer::sim
