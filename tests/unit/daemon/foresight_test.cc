#include "daemon/foresight.h"

#include <boost/asio/post.hpp>
#include <cmath>
#include <utility>

#include "base/task_group.h"
#include "tests/unit/daemon/foresight_world.h"

using namespace virtseer;
using namespace virtseer::daemon;
using namespace virtseer::daemon::test;

namespace {

constexpr int kRamp = 240;       ///< second at which the load begins to rise
constexpr int kContended = 420;  ///< second at which more is wanted than there is

/// A steady VM and one whose load rises until three cores are too few, and a peer with room.
struct Rising : World {
  Rising() : World(3) {
    addVm(1, "steady", steady(1));
    addVm(2, "rising", ramp(0.5, kRamp, 0.5, 3));
    addPeer(2, "two", 8);
  }
  void mode(Mode mode) { policy.defaults.mode = mode; }
  /// Lives until a move is due; the second at which it is.
  int liveUntilDue() {
    live(kContended - now, [&] { return stepNow(StepState::due) == nullptr; });
    return now;
  }
};

}  // namespace

TEST_CASE("a VM that was watched has forecasts with their record; what lacks is said") {
  World world;
  world.addVm(1, "steady", steady(1));
  world.begin();
  const Vm& vm = world.guests[0].vm;
  CHECK(world.foresight->forecast(vm)->missing.size() == 1);
  world.live(30);
  const std::string unripe = "plans make no use of it until the VM has been seen for 90 s";
  const auto early = world.foresight->forecast(vm)->forecasts;
  CHECK(std::ranges::any_of(early, [&](const auto& view) {
    return view.forecast.horizon == Millis(60'000) &&
           view.forecast.note.ends_with(unripe + " without a break");
  }));
  world.live(370);
  for (const auto& view : world.foresight->forecast(vm)->forecasts)
    CHECK(view.forecast.note.find("plans make no use") == std::string::npos);
  const auto answer = world.foresight->forecast(vm);
  REQUIRE(answer);
  REQUIRE(answer->forecasts.size() == 2);
  for (const auto& view : answer->forecasts) {
    CHECK(view.forecast.resource == Resource::cpu);
    CHECK(view.forecast.level.quantiles.p50 == Approx(1).margin(0.2));
    CHECK(view.forecast.level.quantiles.p95 < 4);
  }
  CHECK(answer->forecasts[0].record.scored > 100);
  CHECK(answer->missing.size() == kResources - 1);
  CHECK(world.foresight->wants(vm).first == Approx(1).margin(0.3));
  CHECK(world.foresight->wants(vm).second == 2 * kGiB);
  CHECK(world.foresight->room().used_cpus == Approx(1).margin(0.3));
  CHECK(world.foresight->room().present.size() == 1);
  CHECK(world.foresight->counts().scored > 100);
}

TEST_CASE("a VM that is off has no forecast and does not count") {
  World world;
  world.addVm(1, "off", steady(1));
  world.guests[0].vm.state = VmState::shutoff;
  world.begin();
  world.live(3);
  const auto answer = world.foresight->forecast(world.guests[0].vm);
  REQUIRE(answer);
  CHECK(answer->forecasts.empty());
  CHECK(answer->missing == std::vector<std::string>{"it is shutoff: nothing is foreseen"});
  CHECK(world.foresight->room().present.empty());
}

TEST_CASE("a rising load is foreseen: the plan names VM and host before it hurts, after the hold") {
  Rising world;
  world.begin();
  world.live(kRamp);
  CHECK(world.foresight->plan());
  CHECK(world.foresight->plan()->steps.empty());
  bool held = false;
  world.live(kContended - kRamp, [&] {
    held = held || world.stepNow(StepState::holding);
    return world.stepNow(StepState::due) == nullptr;
  });
  CHECK(held);
  const auto* step = world.stepNow(StepState::due);
  REQUIRE(step);
  CHECK(world.now < kContended - 30);
  CHECK(step->to_name == "two");
  CHECK(step->from == world.host.uuid);
  CHECK_FALSE(world.foresight->contended().contended);

  SECTION("and how long it still takes is told well") {
    world.live(kContended - 80 - world.now);
    world.live(kContended - 20 - world.now, [&] {
      const auto outlook = world.foresight->plan()->hosts.front().contention;
      REQUIRE(outlook.until);
      const double told = static_cast<double>(outlook.until->count()) / 1000;
      const double truth = kContended - world.now;
      CHECK(told > truth / 2);
      CHECK(told < truth * 2);
      return true;
    });
  }
  SECTION("and what it says can be asked for by its id, also when rounds have passed") {
    const auto plan = world.foresight->plan();
    const auto id = step->id;
    world.live(3);
    const auto kept = world.foresight->plan(plan->id);
    REQUIRE(kept);
    CHECK(kept->steps.front().vm == plan->steps.front().vm);
    CHECK(world.foresight->plan(id)->id == plan->id);
    CHECK_FALSE(world.foresight->plan("plan-of-nobody"));
  }
  SECTION("and it is told once") {
    world.live(5);
    CHECK(world.count("plan.step") == 1);
    const auto& event = world.event("plan.step");
    CHECK(event.entity == step->vm);
    CHECK(event.fields.at("to_name") == "two");
    CHECK(event.fields.at("executable") == "no");
    CHECK(world.event("plan.changed").entity == world.host.uuid);
  }
}

TEST_CASE("observe carries nothing out; auto carries out, once, what observe named") {
  Rising observed;
  observed.mode(Mode::observe);
  observed.begin();
  const int due = observed.liveUntilDue();
  const auto named = *observed.stepNow(StepState::due);
  observed.live(kContended - observed.now);
  CHECK(observed.carried.empty());

  Rising moved;
  moved.mode(Mode::automatic);
  moved.begin();
  CHECK(moved.liveUntilDue() == due);
  moved.live(5);
  REQUIRE(moved.carried.size() == 1);
  CHECK(moved.carried[0].vm == named.vm);
  CHECK(moved.carried[0].to == named.to);
  CHECK(moved.carried[0].cpus > 0);
  CHECK(moved.foresight->plan(moved.carried[0].id));
}

TEST_CASE("under the global stop plans are made and nothing is carried out") {
  Rising world;
  world.mode(Mode::automatic);
  world.policy.stop = true;
  world.begin();
  world.liveUntilDue();
  CHECK(world.stepNow(StepState::due));
  CHECK(world.foresight->plan()->stopped);
  world.live(5);
  CHECK(world.carried.empty());
}

TEST_CASE("nothing is planned towards a peer that is silent, and the plan says so") {
  Rising world;
  world.peers[0].answers = false;
  const bool ever = GENERATE(true, false);
  world.peers[0].state->host.as_of = world.clock.wall();
  if (!ever) world.peers[0].state.reset();
  world.begin();
  world.live(kContended);
  const auto plan = world.foresight->plan();
  REQUIRE(plan);
  CHECK(plan->steps.empty());
  REQUIRE(plan->hosts.size() == 2);
  CHECK(plan->hosts[1].name == "two");
  CHECK_THAT(plan->hosts[1].unusable,
             Catch::Contains(ever ? "does not answer, last heard of" : "was not heard since"));
  CHECK_FALSE(plan->reasons.empty());
}

TEST_CASE("after a restart what is foreseen is known at once, but nothing moves in quiet rounds") {
  Rising world;
  world.mode(Mode::automatic);
  world.policy.stop = true;
  world.config.plan.quiet_rounds = 6;
  world.begin();
  world.live(kContended - 30);
  REQUIRE(world.stepNow(StepState::due));
  world.policy.stop = false;
  world.begin();
  world.live(1);
  const auto forecasts = world.foresight->forecast(world.guests[1].vm)->forecasts;
  CHECK(forecasts.size() == 2);
  world.live(5);
  CHECK(world.stepNow(StepState::waiting));
  CHECK(world.carried.empty());
  world.live(1);
  CHECK(world.carried.size() == 1);
}

TEST_CASE("calibration and records survive a restart") {
  World world;
  world.addVm(1, "steady", steady(1));
  world.begin();
  world.live(300);
  const Vm& vm = world.guests[0].vm;
  const auto before = world.foresight->forecast(vm)->forecasts[0];
  REQUIRE(before.forecast.peak.calibration == Calibration::own);
  world.run(world.foresight->save());
  world.begin();
  world.live(1);
  const auto after = world.foresight->forecast(vm)->forecasts.at(0);
  CHECK(after.record.scored >= before.record.scored);
  CHECK(after.forecast.peak.calibration == Calibration::own);
}

TEST_CASE("without what was kept, the history in the store teaches as well") {
  World world;
  world.addVm(1, "steady", steady(1));
  world.live(600);
  world.begin();
  world.live(1);
  const auto forecasts = world.foresight->forecast(world.guests[0].vm)->forecasts;
  REQUIRE(forecasts.size() == 2);
  CHECK(forecasts[0].record.scored > 100);
  CHECK(forecasts[0].forecast.level.calibration == Calibration::own);
}

TEST_CASE("what was kept is not written over before it was read") {
  World world;
  world.store->settings().put("predict/state", "of an earlier life");
  world.begin();
  world.run(world.foresight->save());
  CHECK(world.store->settings().get("predict/state") == "of an earlier life");
}

TEST_CASE("a VM that was away goes on with what was known of it") {
  World world;
  world.addVm(1, "wanderer", steady(1));
  world.begin();
  world.live(200);
  const auto away = std::exchange(world.guests, {});
  world.live(3);
  world.guests = away;
  world.live(2);
  CHECK(world.foresight->counts().dropped == 0);
  const auto forecasts = world.foresight->forecast(world.guests[0].vm)->forecasts;
  REQUIRE(forecasts.size() == 2);
  CHECK(forecasts[0].record.scored > 100);
}

TEST_CASE("a round that is given up ends quietly") {
  World world;
  world.addVm(1, "steady", steady(1));
  world.begin();
  world.live(5);
  TaskGroup tasks(world.loop.get_executor(), [](const std::string&, const std::string&) {
    FAIL("a cancelled coroutine must not count as failed");
  });
  tasks.spawn("foresight", world.foresight->run());
  asio::post(world.loop, [&] { tasks.cancel(); });
  world.run(tasks.join());
  CHECK(tasks.size() == 0);
  world.run(world.foresight->save());
  CHECK(world.store->settings().get("predict/state"));
  CHECK(world.count("forecast.lost") == 0);
}

TEST_CASE("state that cannot be read is told and learnt anew") {
  World world;
  world.addVm(1, "steady", steady(1));
  world.store->settings().put("predict/state", "nonsense");
  world.begin();
  world.live(30);
  CHECK(world.count("forecast.lost") == 1);
  CHECK(world.store->settings().get("predict/set-aside") == "nonsense");
  CHECK_FALSE(world.foresight->forecast(world.guests[0].vm)->forecasts.empty());
}

TEST_CASE("contention is measured as what VMs wait for, told once with when it began") {
  World world(2);
  world.addVm(1, "greedy", [](double t) { return t <= 20 ? 0.5 : t <= 40 ? 3.0 : 0.5; });
  world.begin();
  world.live(22);
  CHECK_FALSE(world.foresight->contended().contended);
  CHECK(world.count("host.contended") == 0);
  world.live(16);
  CHECK(world.count("host.contended") == 1);
  const auto& event = world.event("host.contended");
  CHECK(event.entity == world.host.uuid);
  CHECK(event.fields.at("delay_cores") == "1.000");
  CHECK(event.fields.at("capacity") == "2.000");
  CHECK(event.fields.at("since") == rfc3339(world.clock.wall() - Millis(17'000)));
  const auto measured = world.foresight->contended();
  CHECK(measured.contended);
  CHECK(*measured.delay_cores == Approx(1));
  world.live(10);
  CHECK(world.count("host.contended") == 1);
  CHECK(world.count("host.relieved") == 1);
  CHECK_FALSE(world.foresight->contended().contended);
}

TEST_CASE("a VM that a peer says runs there too is told") {
  World world;
  world.addVm(1, "web", steady(1));
  world.addPeer(2, "two", 4);
  auto& there = world.peers[0].state->host;
  there.vms = {world.actions.vms[0]};
  there.vms[0].name = "web";
  world.begin();
  const auto tell = [&] {
    there.as_of = world.clock.wall();
    return true;
  };
  world.live(200, tell);
  REQUIRE(world.count("vm.duplicate") == 1);
  CHECK(world.event("vm.duplicate").fields.at("hosts") == "one and two");
  REQUIRE(world.foresight->duplicates().size() == 1);
  there.vms.clear();
  world.live(2, tell);
  CHECK(world.count("vm.duplicate_over") == 1);
  CHECK(world.foresight->duplicates().empty());
}

TEST_CASE("a contended host that its last VM leaves is relieved") {
  World world(2);
  world.addVm(1, "greedy", steady(3));
  world.begin();
  world.live(20);
  REQUIRE(world.foresight->contended().contended);
  world.guests.clear();
  world.actions.vms.clear();
  world.live(20);
  CHECK(world.count("host.relieved") == 1);
  CHECK_FALSE(world.foresight->contended().contended);
}

TEST_CASE("hosts are ranked on the last round's view, for a VM of a peer too") {
  Rising world;
  world.begin();
  CHECK(world.get(world.foresight->rank(world.guests[0].vm.uuid)).error().code == Code::busy);
  PlacedVm other;
  other.uuid = number(0xB0, 9);
  other.name = "other";
  other.memory_bytes = kGiB;
  world.peers[0].state->host.vms.push_back(other);
  world.live(120);
  const auto own = world.get(world.foresight->rank(world.guests[0].vm.uuid));
  REQUIRE(own);
  REQUIRE(own->hosts.size() == 2);
  CHECK(own->hosts[0].name == "two");
  CHECK(own->hosts[0].fits());
  CHECK(own->hosts[1].current);
  CHECK(world.get(world.foresight->rank(other.uuid)));
  CHECK(world.get(world.foresight->rank(number(1, 1))).error().code == Code::not_found);
}

TEST_CASE("peers are told this host with its VMs and what they are foreseen to want") {
  World world;
  world.addVm(1, "steady", steady(1));
  world.begin();
  CHECK(world.foresight->fleetState().error().code == Code::busy);
  world.reservations = {{"r", "op", number(0xB0, 7), "guest", 1, kGiB, world.clock.wall()}};
  world.maintenance = true;
  world.live(200);
  const auto state = world.foresight->fleetState();
  REQUIRE(state);
  CHECK(state->now == world.clock.wall());
  CHECK(state->host.as_of == world.clock.wall());
  CHECK(state->host.uuid == world.host.uuid);
  CHECK(state->host.maintenance);
  CHECK(state->host.reservations.size() == 1);
  REQUIRE(state->host.vms.size() == 1);
  CHECK(state->host.vms[0].demand_cpus == Approx(1).margin(0.1));
  CHECK(state->host.vms[0].name == "steady");
  CHECK(state->scenarios.vms == std::vector<Uuid>{world.guests[0].vm.uuid});
  CHECK(state->scenarios.steps == 60);
}

TEST_CASE(
    "facts of VMs are asked every half minute, at once when they are stale, and their age "
    "counts") {
  World world;
  world.addVm(1, "steady", steady(1));
  world.begin();
  world.live(29);
  CHECK(world.actions.asked == 1);
  world.live(2);
  CHECK(world.actions.asked == 2);
  world.foresight->stale();
  world.live(1);
  CHECK(world.actions.asked == 3);
  world.actions.silent = true;
  world.live(60);
  CHECK(world.foresight->plan()->hosts[0].unusable.empty());
  world.live(150);
  CHECK(world.foresight->plan()->hosts[0].unusable.find("old") != std::string::npos);
}

TEST_CASE("the host's own load counts beyond its reserve and stays where it is") {
  World world(3);
  world.addVm(1, "steady", steady(1));
  world.config.host.reserve_cpus = 0.5;
  const StreamId stream{world.host.uuid, Source::host};
  const std::vector<SeriesName> names{
      {"host_cpu_seconds_total", {{"mode", "system"}}, Kind::counter}};
  double used = 0;
  world.begin();
  for (int i = 0; i < 200; ++i) {
    const auto columns = world.store->series().declare(stream, names);
    used += 2;  // one core for the VM, one for the host itself
    world.store->series().append(stream, {world.clock.wall() + Millis(1000), *columns, {used}});
    world.live(1);
  }
  const auto plan = world.foresight->plan();
  CHECK(plan->hosts[0].contention.mean_cpus == Approx(1.5).margin(0.2));
  CHECK(world.foresight->fleetState()->scenarios.vms.back() == world.host.uuid);
  // Who wants to come is told of the same load: the VM's core and half of one that no reserve
  // covers.
  CHECK(world.foresight->room().used_cpus == Approx(1.5).margin(0.3));
}

TEST_CASE("another store is taken up, with the plans that it kept") {
  Rising world;
  world.begin();
  world.liveUntilDue();
  const auto id = world.stepNow(StepState::due)->id;
  const auto first = std::move(world.store);
  world.store = store::memoryStore(5000);
  world.foresight->storeSwapped();
  world.live(2);
  CHECK(world.foresight->plan(id));
  CHECK_FALSE(world.store->settings().list("plan/").empty());
  world.begin();
  world.live(1);
  CHECK(world.foresight->plan(id));
}
