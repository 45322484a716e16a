#include "sim/decide/fleet.h"

namespace virtseer::sim {
namespace {

/// Two hosts whose own load takes turns every ten minutes, and a VM that fits only where it is low.
Fleet seesaw() {
  Fleet fleet;
  fleet.rules.round = std::chrono::seconds(30);
  fleet.addHost("a", 4);
  fleet.addHost("b", 4);
  const auto turn = [](double at, bool first) {
    const bool high = static_cast<int>(at / 600) % 2 == (first ? 0 : 1);
    return high ? 3.0 : 0.5;
  };
  fleet.addVm("left", "a", [turn](double at) { return turn(at, true); }).unmovable = {"device"};
  fleet.addVm("right", "b", [turn](double at) { return turn(at, false); }).unmovable = {"device"};
  fleet.addVm("ball", "a", steady(2));
  return fleet;
}

}  // namespace

TEST_CASE("ping-pong broken by cool-down") {
  auto fleet = seesaw();

  fleet.run(std::chrono::hours(6));

  // Without memory of moves the ball would change sides 36 times.
  REQUIRE(fleet.arrivals.size() == 1);
}

TEST_CASE("without cool-down and cycle detection the same fleet does play ping-pong") {
  auto fleet = seesaw();
  fleet.rules.cooldown = Millis(1);
  fleet.rules.cycle_window = Millis(1);
  fleet.rules.per_hour = 100;

  fleet.run(std::chrono::hours(6));

  REQUIRE(fleet.arrivals.size() > 20);
}

TEST_CASE("with a third host each further move of the same VM waits twice as long") {
  Fleet fleet;
  fleet.rules.round = std::chrono::minutes(1);
  for (const auto* name : {"a", "b", "c", "d", "e"}) fleet.addHost(name, 4);
  fleet.addVm("ball", "a", steady(2));
  // Wherever the ball is, that host's own VM soon wants almost all of it.
  for (const auto* name : {"a", "b", "c", "d", "e"}) {
    const std::string host = name;
    fleet
        .addVm("own-" + host, host,
               [&fleet, host](double) { return fleet.where("ball") == host ? 3.5 : 0.2; })
        .unmovable = {"device"};
  }

  fleet.run(std::chrono::hours(8));

  REQUIRE(fleet.arrivals.size() >= 4);
  for (std::size_t i = 2; i < fleet.arrivals.size(); ++i) {
    const double before = fleet.arrivals[i - 1].at_s - fleet.arrivals[i - 2].at_s;
    const double after = fleet.arrivals[i].at_s - fleet.arrivals[i - 1].at_s;
    REQUIRE(after > 1.8 * before);
  }
}

}  // namespace virtseer::sim
