#include "sim/decide/fleet.h"

namespace virtseer::sim {

TEST_CASE("two planners racing for one host get one yes") {
  Fleet fleet;
  fleet.rules.quiet_rounds = 0;
  fleet.rules.round = std::chrono::seconds(5);
  fleet.addHost("a", 4);
  fleet.addHost("b", 4);
  fleet.addHost("target", 4);  // room for one of the two, not for both
  for (const std::string host : {"a", "b"}) {
    fleet.addVm("web-" + host, host, steady(3));
    fleet.addVm("db-" + host, host, steady(2.5));
  }
  // Both daemons look at the same instant, so neither knows of the other's intention.
  const auto view_a = fleet.view("a");
  const auto view_b = fleet.view("b");
  decide::PlannerState state_a;
  decide::PlannerState state_b;
  Plan plan_a;
  Plan plan_b;
  for (std::uint32_t round = 0; round < fleet.rules.hold_rounds; ++round) {
    const auto now = fleet.now() + fleet.rules.round * round;
    auto a = decide::plan(state_a, view_a, fleet.configuration, fleet.rules, now);
    auto b = decide::plan(state_b, view_b, fleet.configuration, fleet.rules, now);
    state_a = a.state, state_b = b.state;
    plan_a = a.plan, plan_b = b.plan;
  }
  REQUIRE(plan_a.steps.at(0).executable);
  REQUIRE(plan_b.steps.at(0).executable);
  REQUIRE(plan_a.steps[0].to_name == "target");
  REQUIRE(plan_b.steps[0].to_name == "target");

  auto& ledger = fleet.ledgers["target"];
  const HostRoom room{4, 64 * kGiB, 0, 0, {}, false, false};
  const auto ask = [&](const std::string& operation, const PlanStep& step) {
    return ledger.request(room, {operation, step.vm, step.vm_name, step.cpus, step.memory_bytes},
                          fleet.now());
  };
  const auto first = ask("op-a", plan_a.steps[0]);
  const auto second = ask("op-b", plan_b.steps[0]);

  REQUIRE(first);
  REQUIRE_FALSE(second);
  REQUIRE(second.error().code == Code::full);
  // Asking again, as after a lost answer, does not take room twice.
  REQUIRE(ask("op-a", plan_a.steps[0]) == first);
  REQUIRE(ledger.size() == 1);
}

TEST_CASE("each planner moves only what is on its own host, and the fleet comes to rest") {
  Fleet fleet;
  fleet.addHost("a", 4);
  fleet.addHost("b", 4);
  fleet.addHost("target", 4);
  for (const std::string host : {"a", "b"}) {
    fleet.addVm("web-" + host, host, steady(3));
    fleet.addVm("db-" + host, host, steady(2.5));
  }

  for (int round = 0; round < 100; ++round) {
    const auto a = fleet.round("a");
    const auto b = fleet.round("b");
    for (const auto& step : a.steps) REQUIRE(step.from_name == "a");
    for (const auto& step : b.steps) REQUIRE(step.from_name == "b");
  }

  REQUIRE(fleet.arrivals.size() == 1);
  REQUIRE_FALSE(fleet.isShort("target"));
}

}  // namespace virtseer::sim
