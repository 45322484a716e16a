#include "sim/decide/fleet.h"

namespace virtseer::sim {
namespace {

Fleet needy() {
  Fleet fleet;
  fleet.rules.quiet_rounds = 0;
  fleet.addHost("a", 4);
  fleet.addHost("b", 16);
  fleet.addVm("web", "a", steady(3));
  fleet.addVm("db", "a", steady(2));
  return fleet;
}

}  // namespace

TEST_CASE("a stale host is never a target") {
  auto fleet = needy();
  fleet.last_heard["b"] = fleet.now() - fleet.rules.stale_after;

  const auto plan = fleet.run(std::chrono::minutes(5));

  REQUIRE(fleet.ordered.empty());
  REQUIRE(plan.rejected.at(0).why == Refusal::stale);
  REQUIRE_FALSE(plan.hosts.at(1).unusable.empty());
  fleet.last_heard.clear();
  fleet.run(std::chrono::minutes(2));
  REQUIRE(fleet.arrivals.size() == 1);
}

TEST_CASE("a silent host is never a target, however fresh its last word") {
  auto fleet = needy();
  fleet.host("b").answers = false;

  const auto plan = fleet.run(std::chrono::minutes(5));

  REQUIRE(fleet.ordered.empty());
  REQUIRE(plan.rejected.at(0).why == Refusal::silent);
}

TEST_CASE("a host whose clock is ahead is never a target") {
  auto fleet = needy();
  fleet.last_heard["b"] = fleet.now() + std::chrono::hours(2);

  REQUIRE(fleet.run(std::chrono::minutes(5)).rejected.at(0).why == Refusal::stale);
  REQUIRE(fleet.ordered.empty());
}

TEST_CASE("a host that reports nonsense is never a target") {
  auto fleet = needy();
  fleet.host("b").capacity.cpus = GENERATE(0.0, -4.0, std::numeric_limits<double>::quiet_NaN(),
                                           std::numeric_limits<double>::infinity());

  REQUIRE(fleet.run(std::chrono::minutes(5)).rejected.at(0).why == Refusal::nonsense);
  REQUIRE(fleet.ordered.empty());
}

TEST_CASE("a failed host is passed over and the next one is tried") {
  auto fleet = needy();
  fleet.addHost("c", 12);
  while (fleet.ordered.empty()) fleet.round();
  REQUIRE(fleet.ordered[0].to_name == "b");
  auto other = needy();
  other.addHost("c", 12);
  auto& vm = other.vm(fleet.ordered[0].vm_name);
  vm.moves.push_back({other.host("a").uuid, other.host("b").uuid, other.now(), other.now(),
                      MoveOutcome::failed, true});
  other.vm("db").unmovable = {"device"};

  other.run(std::chrono::minutes(5));

  REQUIRE(other.arrivals.size() == 1);
  REQUIRE(other.arrivals[0].to == "c");
}

}  // namespace virtseer::sim
