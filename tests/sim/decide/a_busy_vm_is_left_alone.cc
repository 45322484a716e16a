#include "sim/decide/fleet.h"

namespace virtseer::sim {

TEST_CASE("no action while a job or backup runs on the VM") {
  Fleet fleet;
  fleet.addHost("a", 4);
  fleet.addHost("b", 16);
  fleet.addVm("web", "a", steady(3)).job = "backup";
  fleet.addVm("db", "a", steady(2)).managed_by = "pacemaker";

  const auto plan = fleet.run(std::chrono::minutes(5));

  REQUIRE(fleet.ordered.empty());
  REQUIRE(plan.rejected.size() == 2);
  CAPTURE(plan.verdict);
  REQUIRE(plan.verdict.find("a backup job runs on it") != std::string::npos);

  fleet.vm("web").job.clear();
  fleet.run(std::chrono::minutes(2));
  REQUIRE(fleet.arrivals.size() == 1);
  REQUIRE(fleet.arrivals[0].vm == "web");
}

TEST_CASE("caps hold back what is due, and it follows when a move ends") {
  Fleet fleet;
  fleet.rules.in_flight = 1;
  fleet.rules.settle = std::chrono::seconds(10);
  fleet.addHost("a", 4);
  fleet.addHost("b", 4);
  fleet.addHost("c", 16);
  for (const std::string host : {"a", "b"}) {
    fleet.addVm("web-" + host, host, steady(3));
    fleet.addVm("db-" + host, host, steady(2));
  }

  bool waited = false;
  for (int round = 0; round < 60; ++round) {
    const auto plan = fleet.round();
    for (const auto& step : plan.steps) waited = waited || step.state == StepState::waiting;
    REQUIRE(fleet.ordered.size() <= fleet.arrivals.size() + 1);
  }

  REQUIRE(waited);
  REQUIRE(fleet.arrivals.size() == 2);
}

TEST_CASE("no more moves begin within an hour than are allowed") {
  Fleet fleet;
  fleet.rules.per_hour = 2;
  fleet.rules.round = std::chrono::seconds(20);
  fleet.rules.settle = Millis(1000);
  for (int i = 0; i < 5; ++i) {
    const auto host = "h" + std::to_string(i);
    fleet.addHost(host, 4);
    fleet.addVm("x" + std::to_string(i), host, steady(3));
    fleet.addVm("y" + std::to_string(i), host, steady(2));
  }
  fleet.addHost("spare", 64);

  fleet.run(std::chrono::minutes(50));
  REQUIRE(fleet.arrivals.size() == 2);
  fleet.run(std::chrono::minutes(30));
  REQUIRE(fleet.arrivals.size() == 4);
}

TEST_CASE("moves that were refused do not count among those of an hour") {
  Fleet fleet;
  fleet.rules.per_hour = 2;
  const auto a = fleet.addHost("a", 4).uuid;
  const auto b = fleet.addHost("b", 16).uuid;
  fleet.addVm("web", "a", steady(3));
  fleet.addVm("db", "a", steady(2));
  for (int i = 0; i < 3; ++i)
    fleet.vm("db").moves.push_back({.from = a,
                                    .to = b,
                                    .started = fleet.now() - std::chrono::minutes(10 + i),
                                    .ended = fleet.now() - std::chrono::minutes(9 + i),
                                    .outcome = MoveOutcome::refused,
                                    .automatic = true});

  fleet.run(std::chrono::minutes(10));

  REQUIRE(fleet.arrivals.size() == 1);
}

}  // namespace virtseer::sim
