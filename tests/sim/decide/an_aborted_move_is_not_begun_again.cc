#include "sim/decide/fleet.h"

namespace virtseer::sim {
namespace {

/// Runs until a move is ordered, and has a person end it.
std::string abortNext(Fleet& fleet) {
  const auto before = fleet.ordered.size();
  for (int round = 0; round < 400 && fleet.ordered.size() == before; ++round) fleet.round();
  REQUIRE(fleet.ordered.size() == before + 1);
  const auto vm = fleet.ordered.back().vm_name;
  fleet.abort(vm);
  return vm;
}

}  // namespace

TEST_CASE("a move for contention that a person aborted is not begun again before the cool-down") {
  Fleet fleet;
  fleet.rules.quiet_rounds = 0;
  fleet.addHost("a", 4);
  fleet.addHost("b", 16);
  fleet.addHost("c", 16);
  fleet.addVm("web", "a", steady(5)).memory_bytes = 8 * kGiB;
  const auto vm = abortNext(fleet);

  const auto plan = fleet.run(fleet.rules.cooldown - std::chrono::seconds(30));

  REQUIRE(fleet.ordered.size() == 1);
  const auto rests = std::ranges::find(plan.rejected, Refusal::cooldown, &Rejection::why);
  REQUIRE(rests != plan.rejected.end());
  REQUIRE_THAT(rests->words, Catch::Contains("a person aborted its move"));
  fleet.run(std::chrono::minutes(5));
  REQUIRE(fleet.ordered.size() == 2);
}

TEST_CASE("a VM whose move a person aborted stays on a host in maintenance for its cool-down") {
  Fleet fleet;
  fleet.addHost("a", 8);
  fleet.addHost("b", 8);
  fleet.addHost("c", 8);
  fleet.addVm("large", "a", steady(1), 8 * kGiB);
  fleet.addVm("small", "a", steady(1), 1 * kGiB);
  fleet.host("a").maintenance = true;
  REQUIRE(abortNext(fleet) == "large");

  const auto plan = fleet.run(std::chrono::minutes(5));

  // It alone rests: its like go on.
  REQUIRE(fleet.where("large") == "a");
  REQUIRE(fleet.where("small") != "a");
  REQUIRE_THAT(plan.reasons.at(0),
               Catch::Contains("large stays on a") && Catch::Contains("a person aborted its move"));
  fleet.run(fleet.rules.cooldown);
  REQUIRE(fleet.where("large") != "a");
}

TEST_CASE("each abort of the same VM holds it for twice as long") {
  Fleet fleet;
  fleet.addHost("a", 8);
  fleet.addHost("b", 8);
  fleet.addVm("web", "a", steady(1), 8 * kGiB);
  fleet.host("a").maintenance = true;
  abortNext(fleet);
  fleet.run(fleet.rules.cooldown);
  abortNext(fleet);

  fleet.run(2 * fleet.rules.cooldown - std::chrono::seconds(30));

  REQUIRE(fleet.ordered.size() == 2);
}

}  // namespace virtseer::sim
