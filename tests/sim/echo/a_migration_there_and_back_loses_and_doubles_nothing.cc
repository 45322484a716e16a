#include "sim/echo/world.h"

namespace virtseer::sim {

TEST_CASE("A VM that moves to another host and back leaves a whole history over both daemons") {
  World world;
  Daemon source(world.clock), target(world.clock);
  source.connect(world.port);
  world.live(source, 4);
  source.leave(world.port);
  world.live(source, 1);

  target.connect(world.port);
  world.live(target, 5);
  target.leave(world.port);

  source.connect(world.port);
  world.live(source, 3);

  std::set<std::uint64_t> seen;
  for (const auto* daemon : {&source, &target}) {
    std::set<std::uint64_t> own;
    for (std::size_t i = 0; i < daemon->rows.size(); ++i) {
      REQUIRE(own.insert(daemon->rows[i].sequence).second);
      if (i > 0) REQUIRE(daemon->rows[i].time > daemon->rows[i - 1].time);
    }
    seen.merge(own);
  }
  REQUIRE(seen.size() == world.guest.made());
  REQUIRE(*seen.rbegin() == world.guest.made());
}

TEST_CASE("Echoes that another host's daemon stored are not counted as lost here") {
  World world;
  Daemon source(world.clock), target(world.clock);
  source.connect(world.port);
  world.live(source, 4);
  source.leave(world.port);
  target.connect(world.port);
  world.live(target, 5);
  target.leave(world.port);
  source.connect(world.port);
  world.live(source, 1);

  REQUIRE(source.counters().lost == 0);
  REQUIRE(target.counters().lost == 0);
  REQUIRE(source.counters().elsewhere > 0);
}

}  // namespace virtseer::sim
