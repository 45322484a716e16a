#include "sim/decide/fleet.h"

namespace virtseer::sim {
namespace {

Fleet needy() {
  Fleet fleet;
  fleet.addHost("a", 4);
  fleet.addHost("b", 16);
  fleet.addVm("web", "a", steady(3));
  fleet.addVm("db", "a", steady(2)).unmovable = {"device"};
  return fleet;
}

PolicyMetadata says(const PolicyOverrides& set) {
  return {set, ""};
}

}  // namespace

TEST_CASE("metadata cannot raise what the configuration grants") {
  auto fleet = needy();
  fleet.configuration.defaults.mode = Mode::observe;
  PolicyOverrides all;
  all.mode = Mode::automatic;
  all.excluded = false;
  fleet.vm("web").metadata = says(all);

  const auto plan = fleet.run(std::chrono::minutes(5));

  REQUIRE(fleet.ordered.empty());
  REQUIRE(plan.steps.at(0).mode == Mode::observe);
}

TEST_CASE("metadata can lower what the configuration grants") {
  auto fleet = needy();
  PolicyOverrides set;
  set.mode = Mode::suggest;
  fleet.vm("web").metadata = says(set);

  REQUIRE(fleet.run(std::chrono::minutes(5)).steps.at(0).mode == Mode::suggest);
  REQUIRE(fleet.ordered.empty());

  set.excluded = true;
  fleet.vm("web").metadata = says(set);
  const auto plan = fleet.round();
  REQUIRE(plan.steps.empty());
  REQUIRE(plan.rejected.at(0).why == Refusal::policy);
}

TEST_CASE("metadata that cannot be read stops that VM alone") {
  auto fleet = needy();
  fleet.vm("web").metadata = PolicyMetadata{{}, "line 1: mode 'always' is none"};
  fleet.addHost("c", 2);
  fleet.addVm("one", "c", steady(1.5));
  fleet.addVm("two", "c", steady(1.5));

  fleet.run(std::chrono::minutes(5));

  REQUIRE(fleet.where("web") == "a");
  REQUIRE(fleet.arrivals.size() == 1);
  REQUIRE(fleet.arrivals[0].from == "c");
}

}  // namespace virtseer::sim
