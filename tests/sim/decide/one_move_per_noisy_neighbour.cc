#include "sim/decide/fleet.h"

namespace virtseer::sim {

TEST_CASE("one move per noisy neighbour") {
  Fleet fleet;
  fleet.addHost("a", 8);
  fleet.addHost("b", 8);
  fleet.addHost("c", 8);
  for (int i = 0; i < 6; ++i) fleet.addVm("quiet" + std::to_string(i), "a", steady(0.8));
  fleet.addVm("noisy", "a", ramp(0.5, 6, 120, 240));
  fleet.addVm("other", "b", steady(1.5));

  fleet.run(std::chrono::minutes(20));

  REQUIRE(fleet.arrivals.size() == 1);
  REQUIRE(fleet.arrivals[0].vm == "noisy");
  REQUIRE(fleet.arrivals[0].to == "c");
  REQUIRE_FALSE(fleet.isShort("a"));
  REQUIRE_FALSE(fleet.isShort("c"));
}

TEST_CASE("a second move does not begin while the first one that cures the host is under way") {
  Fleet fleet;
  fleet.rules.in_flight = 10;
  fleet.rules.in_flight_per_host = 10;
  fleet.rules.quiet_rounds = 0;
  fleet.addHost("a", 8).link_bytes_per_s = 12e6;  // the move takes a long time
  fleet.addHost("b", 8);
  fleet.addVm("noisy", "a", steady(5), 4 * kGiB);
  for (int i = 0; i < 4; ++i) fleet.addVm("quiet" + std::to_string(i), "a", steady(1.5), 4 * kGiB);

  fleet.run(std::chrono::minutes(3));

  REQUIRE(fleet.arrivals.empty());
  REQUIRE(fleet.ordered.size() == 1);
}

TEST_CASE("the cheaper of two VMs that help alike is moved, and the other is named") {
  Fleet fleet;
  fleet.rules.quiet_rounds = 0;
  fleet.addHost("a", 4);
  fleet.addHost("b", 8);
  fleet.addVm("large", "a", steady(2.5), 32 * kGiB);
  fleet.addVm("small", "a", steady(2.5), 2 * kGiB);

  const auto plan = fleet.run(std::chrono::seconds(15));

  REQUIRE(plan.steps.size() == 1);
  REQUIRE(plan.steps[0].vm_name == "small");
  const auto named = std::ranges::any_of(plan.rejected, [](const Rejection& rejection) {
    return rejection.vm_name == "large" && rejection.why == Refusal::helps_less;
  });
  REQUIRE(named);
}

}  // namespace virtseer::sim
