#include "sim/decide/fleet.h"

namespace virtseer::sim {

TEST_CASE("maintenance empties a host") {
  Fleet fleet;
  fleet.addHost("a", 8);
  fleet.addHost("b", 8, 16 * kGiB);
  fleet.addHost("c", 8, 16 * kGiB);
  for (int i = 0; i < 5; ++i)
    fleet.addVm("vm" + std::to_string(i), "a", steady(1), (i + 1ULL) * kGiB);
  fleet.run(std::chrono::minutes(1));
  REQUIRE(fleet.ordered.empty());

  fleet.host("a").maintenance = true;
  for (int round = 0; round < 120; ++round) {
    const auto plan = fleet.round();
    std::size_t due = 0;
    for (const auto& step : plan.steps) due += step.state == StepState::due ? 1U : 0U;
    REQUIRE(due <= fleet.rules.in_flight_per_host);
  }

  REQUIRE(fleet.host("a").vms.empty());
  REQUIRE(fleet.arrivals.size() == 5);
  REQUIRE(fleet.arrivals[0].vm == "vm4");  // the largest goes first
  REQUIRE_FALSE(fleet.isShort("b"));
  REQUIRE_FALSE(fleet.isShort("c"));
}

TEST_CASE("the plan for a host in maintenance holds every VM from the first round on") {
  Fleet fleet;
  fleet.addHost("a", 8);
  fleet.addHost("b", 8, 5 * kGiB);
  fleet.addHost("c", 8, 5 * kGiB);
  for (int i = 0; i < 4; ++i) fleet.addVm("vm" + std::to_string(i), "a", steady(1), 2 * kGiB);
  fleet.host("a").maintenance = true;

  const auto plan = fleet.round();

  // Planned places count: not more than two of them fit on either host.
  REQUIRE(plan.steps.size() == 4);
  std::map<std::string, int> on;
  for (const auto& step : plan.steps) ++on[step.to_name];
  REQUIRE(on["b"] == 2);
  REQUIRE(on["c"] == 2);
}

TEST_CASE("a plan that nobody carries out names its mode, and no moves that are not under way") {
  Fleet fleet;
  fleet.configuration.defaults.mode = Mode::observe;
  fleet.addHost("a", 8);
  fleet.addHost("b", 8);
  for (int i = 0; i < 3; ++i) fleet.addVm("vm" + std::to_string(i), "a", steady(1));
  fleet.host("a").maintenance = true;

  const auto plan = fleet.run(std::chrono::minutes(2));

  REQUIRE(plan.steps.size() == 3);
  for (const auto& step : plan.steps) {
    CHECK_FALSE(step.executable);
    CHECK_THAT(step.held_back, Catch::Contains("mode observe: nothing is moved"));
  }
  CHECK_THAT(plan.steps[2].held_back, Catch::Contains("under way or planned before it"));
}

TEST_CASE("what cannot leave a host in maintenance is named, and the rest goes") {
  Fleet fleet;
  fleet.addHost("a", 8);
  fleet.addHost("b", 8);
  fleet.addVm("tied", "a", steady(1)).unmovable = {"host device 0000:01:00.0"};
  fleet.addVm("backed-up", "a", steady(1)).job = "backup";
  fleet.addVm("free", "a", steady(1));
  fleet.host("a").maintenance = true;

  const auto plan = fleet.run(std::chrono::minutes(5));

  REQUIRE(fleet.arrivals.size() == 1);
  REQUIRE(fleet.arrivals[0].vm == "free");
  REQUIRE(plan.reasons.size() == 2);
  REQUIRE(plan.reasons[1] ==
          "tied stays on a, which is in maintenance: is tied to this host: host device "
          "0000:01:00.0");
  fleet.vm("backed-up").job.clear();
  fleet.run(std::chrono::minutes(2));
  REQUIRE(fleet.where("backed-up") == "b");
}

TEST_CASE("a host in maintenance is emptied onto crowded hosts too, the least crowded first") {
  Fleet fleet;
  fleet.addHost("a", 8);
  fleet.addHost("b", 4);
  fleet.addHost("c", 4);
  fleet.addVm("large", "a", steady(2));
  fleet.addVm("on-b", "b", steady(3.9));
  fleet.addVm("on-c", "c", steady(2.5));
  fleet.host("a").maintenance = true;

  const auto plan = fleet.round();

  REQUIRE(plan.steps.size() == 1);
  REQUIRE(plan.steps[0].to_name == "c");
  REQUIRE_THAT(plan.steps[0].reasons,
               Catch::Matchers::VectorContains(
                   std::string("c with large on it is 100 % likely to run short, but no host that "
                               "can take it has more room, and maintenance counts more (4.50 cores "
                               "wanted on average)")));
  fleet.run(std::chrono::minutes(2));
  REQUIRE(fleet.where("large") == "c");
}

TEST_CASE("who stays on a host in maintenance is said with every host that cannot take it") {
  Fleet fleet;
  fleet.addHost("a", 8);
  fleet.addHost("b", 8, kGiB);
  fleet.addHost("c", 8).maintenance = true;
  fleet.addVm("large", "a", steady(1), 4 * kGiB);
  fleet.host("a").maintenance = true;

  const auto plan = fleet.round();

  REQUIRE(plan.steps.empty());
  REQUIRE(plan.reasons.size() == 1);
  INFO(plan.reasons[0]);
  REQUIRE(plan.reasons[0].starts_with("large stays on a, which is in maintenance: "));
  REQUIRE(plan.reasons[0].find("b: ") != std::string::npos);
  REQUIRE(plan.reasons[0].find("c: is in maintenance") != std::string::npos);
}

TEST_CASE("a host in maintenance takes nobody") {
  Fleet fleet;
  fleet.addHost("a", 4);
  fleet.addHost("b", 16).maintenance = true;
  fleet.addVm("web", "a", steady(3));
  fleet.addVm("db", "a", steady(2));

  const auto plan = fleet.run(std::chrono::minutes(2));

  REQUIRE(fleet.ordered.empty());
  REQUIRE(plan.rejected.at(0).why == Refusal::maintenance);
}

}  // namespace virtseer::sim
