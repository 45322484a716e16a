#include "decide/planner.h"

#include "decide/explain.h"
#include "decide/words.h"
#include "unit/decide/worlds.h"

using namespace virtseer;
using namespace virtseer::decide;
using namespace virtseer::decide::test;

namespace {

/// Host 1 wants 5 of 4 cores, host 2 is idle.
struct World {
  World() {
    rules.quiet_rounds = 0;
    rules.hold_rounds = 1;
    configuration.defaults.mode = Mode::automatic;
    configuration.defaults.unlocked_disks = true;
    view.hosts = {plainHost(1), plainHost(2)};
    view.hosts[0].vms = {plainVm(1), plainVm(2)};
    view.scenarios = {scenarios({plainVm(1).uuid, plainVm(2).uuid}, 4, 6,
                                [](auto, auto, auto vm) { return vm == 0 ? 3.0 : 2.0; })};
  }
  Planned think(PlannerState state = {}, Millis later = Millis(0)) {
    const auto now = kNow + later;
    for (auto& host : view.hosts) host.as_of = now;
    return plan(std::move(state), view, configuration, rules, now);
  }

  FleetView view;
  PolicyConfiguration configuration;
  PlannerRules rules;
};

}  // namespace

TEST_CASE("a step says what it promises, what it costs and why") {
  World world;
  const auto out = world.think().plan;

  REQUIRE(out.steps.size() == 1);
  const auto& step = out.steps[0];
  CHECK(step.executable);
  CHECK(step.from_before.probability == 1);
  CHECK(step.from_after.probability == 0);
  CHECK(step.to_before.probability == 0);
  CHECK(step.to_after.probability == 0);
  CHECK(step.relief == Approx(1));
  CHECK(step.cpus == Approx(step.vm_name == "vm1" ? 3 : 2));
  CHECK(step.memory_bytes == 2 * kGiB);
  CHECK(step.reasons.size() == 6);
  CHECK(step.id == out.id + ".1");
  CHECK(out.hosts.at(0).shares.at(0).share == Approx(0.6));
  CHECK(out.verdict == "move " + step.vm_name + " from h1 to h2, now");
}

TEST_CASE("a host is told to run short from when on that lasts for the rounds of its measure") {
  World world;
  world.view.scenarios = {scenarios({plainVm(1).uuid, plainVm(2).uuid}, 4, 6,
                                    [](auto, auto step, auto) { return step == 2 ? 1.0 : 3.0; })};
  const auto step = world.view.scenarios[0].step;
  const auto until = [&](Millis lasting) {
    world.rules.lasting = lasting;
    return world.think().plan.hosts.at(0).contention.until.value();
  };

  const auto first = until(Millis(0));
  CHECK(until(2 * step) == first);
  CHECK(until(2 * step + Millis(1)) == first + 3 * step);
  CHECK(until(3 * step) == first + 3 * step);
}

TEST_CASE("the same input gives the same plan") {
  World world;
  CHECK(world.think().plan == world.think().plan);
}

TEST_CASE("what was ordered is not ordered again before it shows, and not forgotten too late") {
  World world;
  auto out = world.think();
  REQUIRE(out.state.issued.size() == 1);

  out = world.think(out.state, std::chrono::seconds(5));
  CHECK(out.plan.steps.empty());  // it counts for where it goes
  CHECK(out.plan.verdict == "nothing to do: no host is foreseen to run short");

  // There was never a sign of it.
  out = world.think(out.state, std::chrono::seconds(61));
  CHECK(out.plan.steps.size() == 1);
}

TEST_CASE("an order that was refused is forgotten at once, and the VM rests for a moment") {
  World world;
  auto out = world.think();
  const auto step = out.plan.steps.at(0);
  auto& vm = world.view.hosts[0].vms[step.vm == plainVm(1).uuid ? 0 : 1];
  vm.moves = {{step.from, step.to, kNow, kNow, MoveOutcome::refused, true}};

  out = world.think(out.state, std::chrono::seconds(5));

  CHECK(names(out.plan.rejected, Refusal::cooldown));
  CHECK(out.state.issued.empty() == out.plan.steps.empty());
}

TEST_CASE("a move in flight cures its source before it ends") {
  World world;
  world.view.hosts[0].flights = {
      {"op", plainVm(1).uuid, world.view.hosts[0].uuid, world.view.hosts[1].uuid}};

  CHECK(world.think().plan.steps.empty());
  // A move to a host that nobody here knows takes its load away as well.
  world.view.hosts[0].flights[0].to = uuid(0xA0, 99);
  CHECK(world.think().plan.steps.empty());
}

TEST_CASE("contention further away than virtseer acts on is only watched") {
  World world;
  world.view.scenarios = {scenarios({plainVm(1).uuid, plainVm(2).uuid}, 4, 60,
                                    [](auto, auto step, auto) { return step < 40 ? 1.0 : 2.5; })};
  world.rules.act_within = std::chrono::seconds(30);

  auto out = world.think();
  CHECK(out.plan.steps.empty());
  CHECK(out.plan.hosts[0].contention.until == Millis(40'000));

  world.rules.act_within = std::chrono::seconds(40);
  CHECK(world.think().plan.steps.size() == 1);
}

TEST_CASE("a move that takes too little of the shortage away is none") {
  World world;
  // The large one cannot leave; the small one would take a tenth of the shortage away.
  world.view.hosts[0].vms[0].unmovable = {"device"};
  world.view.scenarios = {scenarios({plainVm(1).uuid, plainVm(2).uuid}, 4, 6,
                                    [](auto, auto, auto vm) { return vm == 0 ? 5.0 : 0.1; })};

  const auto out = world.think().plan;

  CHECK(out.steps.empty());
  CHECK(names(out.rejected, Refusal::no_relief));
  CHECK(names(out.rejected, Refusal::device));
}

TEST_CASE("a VM of high priority stays where one of low priority helps alike") {
  World world;
  world.view.scenarios = {
      scenarios({plainVm(1).uuid, plainVm(2).uuid}, 4, 6, [](auto, auto, auto) { return 2.5; })};
  for (const bool first : {true, false}) {
    PolicyOverrides precious;
    precious.priority = 90;
    world.configuration.rules = {{std::nullopt, first ? "vm1" : "vm2", precious}};
    CHECK(world.think().plan.steps.at(0).vm_name == (first ? "vm2" : "vm1"));
  }
}

TEST_CASE("without a forecast a VM is not moved for contention") {
  World world;
  world.view.scenarios.clear();
  world.view.hosts[0].vms[0].demand_cpus = 3;
  world.view.hosts[0].vms[1].demand_cpus = 2;

  const auto out = world.think().plan;

  CHECK(out.steps.empty());
  CHECK(out.hosts[0].contention.already);  // what it wants now does count
  CHECK(names(out.rejected, Refusal::no_forecast));
}

TEST_CASE("shared disks without a lock manager are not moved by auto unless policy waives it") {
  World world;
  world.configuration.defaults.unlocked_disks = false;

  const auto out = world.think().plan;
  REQUIRE(out.steps.size() == 1);
  CHECK_FALSE(out.steps[0].executable);
  CHECK(out.steps[0].held_back.find("lock manager") != std::string::npos);

  for (auto& host : world.view.hosts) host.disk_locks = true;
  CHECK(world.think().plan.steps.at(0).executable);
}

TEST_CASE("load of a host that belongs to no VM counts") {
  World world;
  world.view.scenarios = {scenarios({plainVm(1).uuid, plainVm(2).uuid, world.view.hosts[0].uuid}, 4,
                                    6, [](auto, auto, auto) { return 1.5; })};
  CHECK(world.think().plan.hosts[0].contention.probability == 1);
}

TEST_CASE("an empty fleet and a fleet of one host have their answers") {
  World world;
  world.view.hosts.pop_back();
  auto out = world.think().plan;
  CHECK(out.steps.empty());
  CHECK(out.verdict.starts_with("no beneficial action: h1 is short of CPU already"));
  world.view.hosts[0].vms.push_back(plainVm(77));
  CHECK(world.think().plan.verdict.ends_with("has no forecast to plan with yet"));

  world.view = {};
  out = world.think().plan;
  CHECK(out.verdict == "nothing to do: no host is foreseen to run short");
}

TEST_CASE("a VM of which nothing is foreseen yet counts with what it wants now, and that is said") {
  World world;
  auto& vms = world.view.hosts[0].vms;
  vms[0].state = VmState::paused;
  world.view.scenarios.clear();
  for (auto& vm : vms) vm.demand_cpus = 0.1;
  const auto out = world.think().plan;
  CHECK(out.hosts[0].vms_running == vms.size() - 1);
  CHECK(out.hosts[0].vms_unforeseen == vms.size() - 1);
  CHECK(out.verdict ==
        "nothing to do: no host is foreseen to run short, but 1 of 1 VMs has no forecast to plan "
        "with yet");
  CHECK_THAT(explain(out)[1],
             Catch::EndsWith("; 1 of 1 VMs has no forecast to plan with yet, what is wanted now "
                             "counts instead"));
}

TEST_CASE("another host's maintenance is nothing to do here, and that is said") {
  World world;
  world.view.self = world.view.hosts[1].uuid;
  world.view.hosts[0].maintenance = true;
  world.view.scenarios.clear();
  for (auto& vm : world.view.hosts[0].vms) vm.demand_cpus = 0.1;
  CHECK(world.think().plan.verdict.starts_with(
      "nothing to do: no host is foreseen to run short, and no VM here is to leave a host in "
      "maintenance"));
}

TEST_CASE("rejections are bounded and what is left out is counted") {
  World world;
  world.rules.rejections = 3;
  for (std::uint32_t i = 3; i < 20; ++i) {
    world.view.hosts.push_back(plainHost(i));
    world.view.hosts.back().maintenance = true;
  }
  const auto out = world.think().plan;
  CHECK(out.rejected.size() == 3);
  CHECK(out.rejected_more > 10);
}

TEST_CASE("plans that differ in numbers only are the same decision") {
  World world;
  const auto first = world.think().plan;
  auto second = world.think({}, std::chrono::seconds(1)).plan;
  second.hosts[0].contention.probability = 0.9;
  CHECK(sameDecision(first, second));
  second.steps[0].executable = false;
  CHECK_FALSE(sameDecision(first, second));
}

TEST_CASE("an explanation holds the verdict, every reason and every rejection") {
  World world;
  world.view.hosts.push_back(plainHost(3));
  world.view.hosts[2].maintenance = true;

  const auto lines = explain(world.think().plan);

  const auto has = [&](const std::string& text) {
    return std::ranges::any_of(
        lines, [&](const auto& line) { return line.find(text) != std::string::npos; });
  };
  CHECK(has("from h1 to h2, now"));
  CHECK(has("h1: short of CPU already (100 % likely) (5.00 cores of 4.00 cores wanted"));
  CHECK(has("causes"));
  CHECK(has("not taken: h3: is in maintenance"));
  CHECK(has("h3 could be considered as a target if its maintenance were over"));
}

TEST_CASE("rules that contradict themselves are refused by name") {
  CHECK(check(PlannerRules{}));
  PlannerRules rules;
  rules.target_limit = 0.6;
  CHECK(check(rules).error().message.find("target_limit") != std::string::npos);
  rules = {};
  rules.margin = 1.5;
  CHECK(check(rules).error().message.find("margin") != std::string::npos);
  rules = {};
  rules.hold_rounds = 0;
  CHECK(check(rules).error().message.find("hold_rounds") != std::string::npos);
  rules = {};
  rules.cooldown_longest = Millis(1);
  CHECK_FALSE(check(rules));
}

TEST_CASE("numbers are put into words") {
  CHECK(percent(0.873) == "87 %");
  CHECK(percent(0.999) == "over 99 %");
  CHECK(percent(0.001) == "under 1 %");
  CHECK(percent(0) == "0 %");
  CHECK(cores(1) == "1.00 core");
  CHECK(size(512) == "512 bytes");
  CHECK(size(3 * kGiB / 2) == "1.5 GiB");
  CHECK(span(Millis(300)) == "300 ms");
  CHECK(span(Millis(4200)) == "4.2 s");
  CHECK(span(std::chrono::minutes(12)) == "12 min");
  CHECK(span(std::chrono::hours(5)) == "5.0 h");
  CHECK(label(std::string(100, 'x')).size() == 67);
}
