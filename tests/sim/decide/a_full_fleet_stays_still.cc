#include "sim/decide/fleet.h"

namespace virtseer::sim {

TEST_CASE("a full fleet stays still and says why") {
  Fleet fleet;
  for (const auto* name : {"a", "b", "c"}) {
    fleet.addHost(name, 4);
    for (int i = 0; i < 3; ++i)
      fleet.addVm(std::string(name) + std::to_string(i), name, steady(1.5));
  }

  const auto plan = fleet.run(std::chrono::minutes(10));

  REQUIRE(fleet.ordered.empty());
  REQUIRE(plan.steps.empty());
  CAPTURE(plan.verdict);
  REQUIRE(plan.verdict.starts_with("no beneficial action"));
  for (const auto* name : {"a", "b", "c"}) {
    const auto told = std::ranges::any_of(plan.rejected, [&](const Rejection& rejection) {
      return rejection.host_name == name && rejection.why == Refusal::contended &&
             rejection.words.find("100 %") != std::string::npos;
    });
    REQUIRE(told);
  }
  REQUIRE(plan.reasons.size() == 3);
  REQUIRE_FALSE(plan.counterfactuals.empty());
}

TEST_CASE("hosts with cores to spare but no memory are named with what they lack") {
  Fleet fleet;
  fleet.addHost("a", 4);
  fleet.addHost("b", 16, 5 * kGiB);
  fleet.addVm("web", "a", steady(3), 4 * kGiB);
  fleet.addVm("db", "a", steady(2), 4 * kGiB);
  fleet.addVm("idle", "b", steady(0.1), 2 * kGiB);

  const auto plan = fleet.run(std::chrono::minutes(2));

  REQUIRE(plan.steps.empty());
  REQUIRE(plan.rejected.size() == 2);
  for (const auto& rejection : plan.rejected) {
    REQUIRE(rejection.why == Refusal::memory);
    REQUIRE(rejection.words.find("4.0 GiB of memory needed, 3.0 GiB of 5.0 GiB free") == 0);
  }
  REQUIRE(plan.counterfactuals.at(0) == "web could move to b if it had 1.0 GiB more free memory");
}

}  // namespace virtseer::sim
