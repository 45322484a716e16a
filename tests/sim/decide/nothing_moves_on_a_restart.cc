#include "sim/decide/fleet.h"

namespace virtseer::sim {
namespace {

/// Everything is overloaded on one side from the start, so a hasty planner would move at once.
Fleet lopsided() {
  Fleet fleet;
  fleet.addHost("a", 4);
  fleet.addHost("b", 16);
  for (int i = 0; i < 6; ++i) fleet.addVm("vm" + std::to_string(i), "a", steady(1.5));
  return fleet;
}

}  // namespace

TEST_CASE("nothing moves on a restart of the daemon") {
  auto fleet = lopsided();
  const auto quiet = fleet.rules.quiet_rounds;

  // A daemon that restarts again and again before its quiet time is over never moves anything.
  for (int restart = 0; restart < 20; ++restart) {
    for (std::uint32_t round = 0; round < quiet; ++round) {
      const auto plan = fleet.round();
      REQUIRE_FALSE(plan.steps.empty());  // it says what it sees, and does nothing
      REQUIRE_FALSE(plan.steps[0].executable);
    }
    fleet.restartDaemon();
  }
  REQUIRE(fleet.ordered.empty());

  for (std::uint32_t round = 0; round < quiet; ++round) fleet.round();
  REQUIRE(fleet.ordered.empty());
  fleet.round();
  REQUIRE(fleet.ordered.size() == 1);
}

TEST_CASE("a restart does not forget a cool-down") {
  auto fleet = lopsided();
  while (fleet.arrivals.empty()) fleet.round();
  const auto moved = fleet.arrivals[0].vm;
  // Its new host becomes too small for it.
  fleet.host("b").capacity.cpus = 1;
  fleet.addHost("c", 16);

  fleet.restartDaemon();
  fleet.run(std::chrono::minutes(10));

  REQUIRE(fleet.where(moved) == "b");
  const auto plan = fleet.think();
  const auto told = std::ranges::any_of(plan.rejected, [&](const Rejection& rejection) {
    return rejection.vm_name == moved && rejection.why == Refusal::cooldown;
  });
  REQUIRE(told);
}

}  // namespace virtseer::sim
