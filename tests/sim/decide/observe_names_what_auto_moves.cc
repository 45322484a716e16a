#include "sim/decide/fleet.h"

namespace virtseer::sim {
namespace {

Fleet rising(Mode mode) {
  Fleet fleet;
  fleet.configuration.defaults.mode = mode;
  fleet.addHost("a", 4);
  fleet.addHost("b", 4);
  fleet.addHost("c", 6);
  fleet.addVm("web", "a", ramp(0.5, 3, 120, 300));
  fleet.addVm("db", "a", steady(1.5));
  fleet.addVm("mail", "b", steady(2.5));
  return fleet;
}

/// The first plan with a step that is due.
Plan firstDue(Fleet& fleet) {
  for (int round = 0; round < 100; ++round) {
    auto plan = fleet.round();
    if (!plan.steps.empty() && plan.steps[0].state == StepState::due) return plan;
  }
  return {};
}

}  // namespace

TEST_CASE("observe moves nothing and names the same VM and host as auto") {
  auto acting = rising(Mode::automatic);
  const auto act = firstDue(acting);
  for (const auto mode : {Mode::observe, Mode::suggest}) {
    auto watching = rising(mode);
    const auto watch = firstDue(watching);

    REQUIRE(watch.steps.at(0).vm == act.steps.at(0).vm);
    REQUIRE(watch.steps[0].to == act.steps[0].to);
    REQUIRE(watch.made == act.made);
    REQUIRE_FALSE(watch.steps[0].executable);
    REQUIRE(watch.steps[0].held_back.find(name(mode)) != std::string::npos);
    const auto command =
        "'virtseer migrate " + watch.steps[0].vm_name + " " + watch.steps[0].to_name + "'";
    REQUIRE((watch.steps[0].held_back.find(command) != std::string::npos) ==
            (mode == Mode::suggest));
    watching.run(std::chrono::minutes(10));
    REQUIRE(watching.ordered.empty());
    REQUIRE(watching.isShort("a"));
  }

  acting.run(std::chrono::minutes(10));
  REQUIRE(acting.arrivals.size() == 1);
  REQUIRE_FALSE(acting.isShort("a"));
}

TEST_CASE("under auto the move is over before the host would have been short") {
  auto watching = rising(Mode::observe);
  while (!watching.isShort("a")) watching.round();
  auto acting = rising(Mode::automatic);
  while (acting.arrivals.empty()) acting.round();

  REQUIRE(acting.seconds() < watching.seconds());
}

TEST_CASE("the global stop lets nothing through and still says what would be done") {
  auto fleet = rising(Mode::automatic);
  fleet.configuration.stop = true;

  const auto plan = fleet.run(std::chrono::minutes(10));

  REQUIRE(fleet.ordered.empty());
  REQUIRE(plan.stopped);
  REQUIRE(plan.steps.at(0).state == StepState::due);
  REQUIRE(plan.steps[0].held_back == "the global stop holds");
}

}  // namespace virtseer::sim
