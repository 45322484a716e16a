#include "sim/decide/fleet.h"

namespace virtseer::sim {

TEST_CASE("a second host as loaded as the first gives no beneficial action with its reasons") {
  Fleet fleet;
  fleet.addHost("a", 2);
  fleet.addHost("b", 2);
  fleet.addVm("web", "a", ramp(0.4, 1.5, 60, 180));
  fleet.addVm("db", "a", steady(1));
  fleet.addVm("web2", "b", ramp(0.4, 1.5, 60, 180));
  fleet.addVm("db2", "b", steady(1));

  const auto plan = fleet.run(std::chrono::minutes(6));

  REQUIRE(fleet.isShort("a"));
  REQUIRE(fleet.ordered.empty());
  CAPTURE(plan.verdict);
  REQUIRE(plan.verdict.starts_with("no beneficial action: a is short of CPU already"));
  REQUIRE(plan.verdict.find("b: 100 % likely to run short as it is, 20 % is allowed") !=
          std::string::npos);
}

TEST_CASE("a target is judged with the VM on it, not as it is") {
  Fleet fleet;
  fleet.addHost("a", 2);
  fleet.addHost("b", 2);
  fleet.addVm("web", "a", steady(1.4));
  fleet.addVm("db", "a", steady(1.4));
  fleet.addVm("calm", "b", steady(0.8));  // under half used, and too full for either of them

  const auto plan = fleet.run(std::chrono::minutes(5));

  REQUIRE(fleet.ordered.empty());
  REQUIRE(plan.rejected.size() == 2);
  for (const auto& rejection : plan.rejected) {
    REQUIRE(rejection.why == Refusal::contended);
    REQUIRE(rejection.host_name == "b");
    REQUIRE(rejection.words.find("with the VM there") != std::string::npos);
  }
}

}  // namespace virtseer::sim
