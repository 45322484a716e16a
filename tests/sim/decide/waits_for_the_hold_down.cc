#include "sim/decide/fleet.h"

namespace virtseer::sim {

TEST_CASE("waits for the hold-down") {
  Fleet fleet;
  fleet.rules.quiet_rounds = 0;
  fleet.rules.hold_rounds = 4;
  fleet.addHost("a", 4);
  fleet.addHost("b", 4);
  fleet.addVm("web", "a", ramp(0.5, 3, 60, 120));
  fleet.addVm("db", "a", steady(2));

  // Until contention is foreseen there is nothing to hold.
  Plan plan = fleet.round();
  while (plan.steps.empty() && fleet.seconds() < 120) plan = fleet.round();
  REQUIRE(plan.steps.size() == 1);
  for (std::uint32_t round = 1; round < fleet.rules.hold_rounds; ++round) {
    CAPTURE(round, plan.verdict);
    REQUIRE(plan.steps.at(0).state == StepState::holding);
    REQUIRE_FALSE(plan.steps[0].executable);
    REQUIRE(plan.hosts[0].held_rounds == round);
    plan = fleet.round();
  }

  REQUIRE(plan.steps.at(0).state == StepState::due);
  REQUIRE(plan.steps[0].executable);
  REQUIRE(fleet.ordered.size() == 1);
  // Foreseen: the order comes before the host is short.
  REQUIRE_FALSE(fleet.isShort("a"));
}

TEST_CASE("a spike that is over before the hold-down moves nothing") {
  Fleet fleet;
  fleet.rules.quiet_rounds = 0;
  fleet.rules.hold_rounds = 4;
  fleet.addHost("a", 4);
  fleet.addHost("b", 4);
  fleet.addVm("db", "a", steady(2));
  // Unforeseeable: it shows only while it lasts, for two rounds of every minute.
  bool spike = false;
  fleet.addVm("web", "a", [&spike](double) { return spike ? 3.0 : 0.5; });

  for (int round = 0; round < 60; ++round) {
    spike = round % 12 < 2;
    const auto plan = fleet.round();
    REQUIRE((plan.steps.empty() || plan.steps[0].state == StepState::holding));
  }

  REQUIRE(fleet.ordered.empty());
}

TEST_CASE("many calls in a short time do not hasten the hold-down") {
  Fleet fleet;
  fleet.rules.quiet_rounds = 0;
  fleet.addHost("a", 4);
  fleet.addHost("b", 4);
  fleet.addVm("web", "a", steady(3));
  fleet.addVm("db", "a", steady(2));

  decide::PlannerState state;
  for (int call = 0; call < 100; ++call) {
    auto planned = decide::plan(state, fleet.view(), fleet.configuration, fleet.rules,
                                fleet.now() + Millis(call));
    state = planned.state;
    REQUIRE(planned.plan.steps.at(0).state == StepState::holding);
  }
}

}  // namespace virtseer::sim
