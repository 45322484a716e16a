#include "decide/suitability.h"

#include <algorithm>
#include <limits>

#include "decide/cooldown.h"
#include "decide/cost.h"
#include "decide/explain.h"
#include "decide/filters.h"
#include "decide/order.h"
#include "unit/decide/worlds.h"

using namespace virtseer;
using namespace virtseer::decide;
using namespace virtseer::decide::test;

namespace {

struct Pair {
  HostState from = plainHost(1);
  HostState to = plainHost(2);
  PlacedVm vm = plainVm(1);
  Policy policy;
  PlannerRules rules;

  TargetCheck check(std::uint64_t free = 64 * kGiB) const {
    return checkTarget(vm, from, to, free, policy, rules, kNow);
  }
  bool excluded(Refusal why) const { return names(check().excluded, why); }
};

}  // namespace

TEST_CASE("a host like the first one is fit") {
  const Pair pair;
  CHECK(pair.check().excluded.empty());
  CHECK(pair.check().shared_disks);
  CHECK(pair.check().cost.disk_bytes == 0);
}

TEST_CASE("each hard condition excludes for its own reason") {
  Pair pair;
  SECTION("maintenance") {
    pair.to.maintenance = true;
    CHECK(pair.excluded(Refusal::maintenance));
  }
  SECTION("a silent daemon") {
    pair.to.answers = false;
    CHECK(pair.excluded(Refusal::silent));
  }
  SECTION("old information") {
    pair.to.as_of = kNow - pair.rules.stale_after - Millis(1);
    CHECK(pair.excluded(Refusal::stale));
  }
  SECTION("memory") {
    const auto check = pair.check(kGiB);
    REQUIRE(names(check.excluded, Refusal::memory));
    CHECK(check.excluded[0].would == "it had 1.0 GiB more free memory");
  }
  SECTION("more vCPUs than CPUs") {
    pair.vm.vcpus = 16;
    CHECK(pair.excluded(Refusal::vcpus));
  }
  SECTION("machine type") {
    pair.vm.machine = "pc-q35-9.0";
    CHECK(pair.excluded(Refusal::machine_type));
  }
  SECTION("network") {
    pair.vm.networks = {"dmz"};
    CHECK(pair.excluded(Refusal::network));
  }
  SECTION("memory written faster than it can be sent") {
    pair.vm.dirty_bytes_per_s = 500e6;
    CHECK(pair.excluded(Refusal::no_convergence));
  }
  SECTION("the host that it is on") {
    pair.to = pair.from;
    CHECK(pair.excluded(Refusal::same_host));
  }
}

TEST_CASE("a host that was never heard is excluded for its silence alone") {
  Pair pair;
  pair.to = HostState{};
  pair.to.uuid = plainHost(2).uuid;
  pair.to.name = "beta";
  pair.to.answers = false;
  pair.to.as_of = kNow - Millis(12'000);

  const auto check = pair.check(0);

  REQUIRE(check.excluded.size() == 1);
  CHECK(check.excluded[0].why == Refusal::silent);
  CHECK(check.excluded[0].words == "its daemon does not answer, last heard of 12 s ago");
  REQUIRE(checkInformation(pair.to, pair.rules, kNow).size() == 1);

  FleetView view{.self = pair.from.uuid, .hosts = {pair.from, pair.to}, .scenarios = {}};
  view.hosts[0].vms = {pair.vm};
  const auto ranking = rank(view, {}, pair.rules, pair.vm.uuid, kNow);
  REQUIRE(ranking);
  const auto silent = std::ranges::find(ranking->hosts, "beta", &RankedHost::name);
  REQUIRE(silent != ranking->hosts.end());
  CHECK(silent->excluded == check.excluded);

  pair.to.as_of = {};
  CHECK(pair.check(0).excluded.at(0).words == "its daemon was not heard since this one started");
}

TEST_CASE("a CPU must have what the guest sees") {
  Pair pair;
  pair.to.cpu.features = {"aes"};

  const auto check = pair.check();

  REQUIRE(names(check.excluded, Refusal::cpu));
  CHECK(check.excluded[0].words == "its CPU EPYC lacks avx2");
}

TEST_CASE("a guest that takes the host's CPU at each start needs the way back") {
  Pair pair;
  pair.to.cpu = {"EPYC-Milan", {"aes", "avx2", "vaes"}};
  CHECK_FALSE(pair.excluded(Refusal::cpu_way_back));  // a named model goes both ways

  pair.vm.cpu_mode = CpuMode::host_model;
  CHECK(pair.excluded(Refusal::cpu_way_back));
  CHECK_FALSE(pair.excluded(Refusal::cpu));

  pair.vm.cpu_mode = CpuMode::host_passthrough;
  pair.to.cpu.features = pair.from.cpu.features;
  CHECK(pair.excluded(Refusal::cpu));
}

TEST_CASE("storage that the target does not reach is copied only where policy allows it") {
  Pair pair;
  pair.vm.disks = {{"nfs", 10 * kGiB}, {"local", 20 * kGiB}};
  CHECK(pair.excluded(Refusal::storage));  // the same id, but not shared

  pair.policy.copy_storage = true;
  CHECK_FALSE(pair.excluded(Refusal::storage));
  CHECK(pair.check().cost.disk_bytes == 20 * kGiB);

  for (auto& storage : pair.to.storage) storage.free_bytes = 5 * kGiB;
  const auto check = pair.check();
  REQUIRE(names(check.excluded, Refusal::storage));
  CHECK(check.excluded[0].words == "20 GiB of disks to copy, 5.0 GiB free");
}

TEST_CASE("hostile names are shown as letters only") {
  Pair pair;
  pair.vm.machine = "\x1b[2J" + std::string(500, 'x');

  const auto words = pair.check().excluded.at(0).words;

  CHECK(words.find('\x1b') == std::string::npos);
  CHECK(words.size() < 120);
}

TEST_CASE("the cost of a move follows the rounds of pre-copy") {
  auto vm = plainVm(1, 1'000'000'000);
  const PlannerRules rules;  // 100 MB/s, 300 ms
  auto from = plainHost(1);
  auto to = plainHost(2);

  auto cost = moveCost(vm, from, to, 0, rules);
  CHECK(cost.duration == Millis(10'000));
  CHECK(cost.downtime == Millis(0));

  // 50 MB/s written: 1000, 500, 250, 125, 62.5, 31.25, 15.625 MB; the last takes under 300 ms.
  vm.dirty_bytes_per_s = 50e6;
  cost = moveCost(vm, from, to, 0, rules);
  CHECK(cost.memory_bytes == 1'984'375'000);
  CHECK(cost.downtime == Millis(156));
  CHECK(cost.converges);

  // The slower link counts, and disks are sent too.
  to.link_bytes_per_s = 10e6;
  vm.dirty_bytes_per_s = 0;
  CHECK(moveCost(vm, from, to, 1'000'000'000, rules).duration == Millis(200'000));
  vm.dirty_bytes_per_s = 10e6;
  CHECK_FALSE(moveCost(vm, from, to, 0, rules).converges);
  vm.dirty_bytes_per_s.reset();
  cost = moveCost(vm, from, to, 0, rules);
  CHECK_FALSE(cost.dirty_rate_known);
  CHECK_THAT(words(cost), Catch::Contains("how much of it down is unknown; "));
}

TEST_CASE("a VM rests after a move, and twice as long after each further one") {
  const PlannerRules rules;
  auto vm = plainVm(1);
  CHECK_FALSE(cooling(vm, rules, kNow));

  const auto moved = [&](Millis ago) {
    vm.moves.push_back({uuid(0xA0, 1), uuid(0xA0, 2), kNow - ago, kNow - ago});
  };
  moved(std::chrono::minutes(14));
  CHECK(cooling(vm, rules, kNow));
  CHECK_FALSE(cooling(vm, rules, kNow + std::chrono::minutes(1)));

  moved(std::chrono::minutes(2));
  CHECK(cooling(vm, rules, kNow + std::chrono::minutes(27)));
  CHECK_FALSE(cooling(vm, rules, kNow + std::chrono::minutes(28)));

  for (int i = 0; i < 60; ++i) moved(std::chrono::minutes(1));
  CHECK(cooling(vm, rules, kNow + std::chrono::hours(23)));
  CHECK_FALSE(cooling(vm, rules, kNow + std::chrono::hours(24)));
}

TEST_CASE("a failed attempt bars that host for a time and the VM only for a moment") {
  const PlannerRules rules;
  auto vm = plainVm(1);
  vm.moves = {{uuid(0xA0, 1), uuid(0xA0, 2), kNow, kNow, MoveOutcome::failed, true}};

  CHECK(cooling(vm, rules, kNow));
  CHECK_FALSE(cooling(vm, rules, kNow + rules.settle));
  CHECK(leftRecently(vm, plainHost(2), rules, kNow + std::chrono::minutes(10)));
  CHECK_FALSE(leftRecently(vm, plainHost(2), rules, kNow + std::chrono::minutes(15)));
  CHECK_FALSE(leftRecently(vm, plainHost(3), rules, kNow));
}

TEST_CASE("what virtseer moved away does not go back, what a person moved may") {
  const PlannerRules rules;
  auto vm = plainVm(1);
  const auto ago = kNow - std::chrono::hours(5);
  vm.moves = {{uuid(0xA0, 1), uuid(0xA0, 2), ago, ago, MoveOutcome::done, true}};
  CHECK(leftRecently(vm, plainHost(1), rules, kNow));
  CHECK_FALSE(leftRecently(vm, plainHost(1), rules, kNow + std::chrono::hours(19)));

  vm.moves[0].automatic = false;
  CHECK_FALSE(leftRecently(vm, plainHost(1), rules, kNow));
}

TEST_CASE("a ranking holds every host: by score, then the present one, then what is excluded") {
  FleetView view;
  view.hosts = {plainHost(1), plainHost(2), plainHost(3, 16), plainHost(4)};
  view.hosts[0].vms = {plainVm(1), plainVm(2)};
  view.hosts[3].maintenance = true;
  view.scenarios = {
      scenarios({plainVm(1).uuid, plainVm(2).uuid}, 2, 3, [](auto, auto, auto) { return 1.0; })};

  const auto out = rank(view, {}, {}, plainVm(1).uuid, kNow);

  REQUIRE(out);
  REQUIRE(out->hosts.size() == 4);
  CHECK(out->hosts[0].name == "h3");  // more headroom
  CHECK(out->hosts[1].name == "h2");
  CHECK(out->hosts[2].current);
  CHECK(out->hosts[3].excluded.at(0).why == Refusal::maintenance);
  REQUIRE(out->stays.size() == 1);
  CHECK(out->stays[0].words == "its mode is observe: its move is only shown");
  double sum = 0;
  for (const auto& part : out->hosts[0].parts) sum += part.weight * part.value;
  CHECK(out->hosts[0].score == Approx(sum));
  CHECK(out->hosts[0].parts.size() == 5);
  CHECK(out->hosts[0].after.mean_cpus == Approx(1));
  CHECK(rank(view, {}, {}, uuid(1, 99), kNow).error().code == Code::not_found);
}

TEST_CASE("equal hosts are ranked by name, whatever the order that they are listed in") {
  FleetView view;
  view.hosts = {plainHost(3), plainHost(2), plainHost(1), plainHost(4)};
  view.hosts[2].vms = {plainVm(1)};
  const auto names = [&] {
    std::vector<std::string> out;
    for (const auto& host : rank(view, {}, {}, plainVm(1).uuid, kNow)->hosts)
      out.push_back(host.name);
    return out;
  };

  CHECK(names() == std::vector<std::string>{"h2", "h3", "h4", "h1"});
  std::ranges::reverse(view.hosts);
  CHECK(names() == std::vector<std::string>{"h2", "h3", "h4", "h1"});
}

TEST_CASE("memory of reservations and of moves in flight is taken off once") {
  FleetView view;
  view.hosts = {plainHost(1), plainHost(2, 4, 8 * kGiB)};
  view.hosts[0].vms = {plainVm(1, 3 * kGiB), plainVm(2, 3 * kGiB)};
  const auto free = [&] {
    return Placement(view, {}, PlannerRules(), kNow).hosts()[1].memory_free / kGiB;
  };
  CHECK(free() == 8);

  view.hosts[1].reservations = {
      {"r-op", "op", plainVm(2).uuid, "vm2", 1, 3 * kGiB, kNow + std::chrono::seconds(10)}};
  CHECK(free() == 5);
  view.hosts[0].flights = {{"op", plainVm(2).uuid, view.hosts[0].uuid, view.hosts[1].uuid}};
  view.hosts[1].flights = view.hosts[0].flights;
  CHECK(free() == 5);
  auto incoming = plainVm(2, 3 * kGiB);
  incoming.state = VmState::paused;
  view.hosts[1].vms = {incoming};
  CHECK(free() == 5);

  // A VM that nobody lists yet, as one that is about to be launched there.
  view.hosts[1].reservations.push_back(
      {"r-x", "x", uuid(0xB0, 77), "new", 1, 2 * kGiB, kNow + std::chrono::seconds(10)});
  CHECK(free() == 3);
  view.hosts[1].reservations.back().expires = kNow;
  CHECK(free() == 5);
}

TEST_CASE("a VM that has arrived is in flight until its move has ended, and counts once") {
  FleetView view;
  view.hosts = {plainHost(1), plainHost(2, 4, 8 * kGiB)};
  view.hosts[1].vms = {plainVm(1, 3 * kGiB)};
  view.hosts[0].flights = {{"op", plainVm(1).uuid, view.hosts[0].uuid, view.hosts[1].uuid}};
  view.hosts[1].flights = view.hosts[0].flights;
  const auto placed = [&] { return Placement(view, {}, PlannerRules(), kNow); };

  CHECK(placed().vms()[0].in_flight);
  CHECK(placed().inFlight() == 1);
  CHECK(placed().hosts()[0].in_flight == 1);
  CHECK(placed().hosts()[1].in_flight == 1);
  CHECK(placed().hosts()[1].memory_free / kGiB == 5);
  CHECK(names(rank(view, {}, {}, plainVm(1).uuid, kNow)->stays, Refusal::in_flight));

  // On its way back it counts for where it goes.
  view.hosts[1].flights.push_back(
      {"back", plainVm(1).uuid, view.hosts[1].uuid, view.hosts[0].uuid});
  CHECK(placed().inFlight() == 1);
  CHECK(placed().hosts()[1].in_flight == 1);
  CHECK(placed().hosts()[0].memory_free == plainHost(1).capacity.memory_bytes - 3 * kGiB);

  view.hosts[0].flights.clear();
  view.hosts[1].flights.clear();
  CHECK_FALSE(placed().vms()[0].in_flight);
}

TEST_CASE("a VM that two hosts claim to run is left to a person") {
  FleetView view;
  view.hosts = {plainHost(1), plainHost(2), plainHost(3)};
  view.hosts[0].vms = {plainVm(1)};
  view.hosts[1].vms = {plainVm(1)};

  const auto ranking = rank(view, {}, {}, plainVm(1).uuid, kNow);

  REQUIRE(ranking);
  CHECK(names(ranking->stays, Refusal::twice));
  for (const auto& host : ranking->hosts) CHECK(host.fits() == (host.name == "h3"));
  const auto twin = destination(*ranking, "h2");
  REQUIRE(twin);
  CHECK(mayGo(*twin, "web").error().message ==
        "web is not moved to h2, which says that the VM runs there too");
  CHECK(mayGo(*destination(*ranking, "h3"), "web"));
}

TEST_CASE("a copy that waits for its move to end is told where it is") {
  FleetView view;
  view.hosts = {plainHost(1), plainHost(2)};
  view.hosts[0].vms = {plainVm(1)};
  view.hosts[1].vms = {plainVm(1)};
  view.hosts[1].vms[0].state = VmState::paused;
  const auto ranking = rank(view, {}, {}, plainVm(1).uuid, kNow);
  REQUIRE(ranking);
  CHECK_FALSE(names(ranking->stays, Refusal::twice));
  CHECK(ranking->hosts[1].excluded.at(0).words == "has a copy of the VM already");
}

TEST_CASE("what keeps virtseer from moving a VM by itself is told with its place") {
  FleetView view;
  view.hosts = {plainHost(1), plainHost(2)};
  view.hosts[0].vms = {plainVm(1)};
  view.hosts[0].vms[0].moves = {{.from = plainHost(2).uuid,
                                 .to = plainHost(1).uuid,
                                 .started = kNow - Millis(2'000),
                                 .ended = kNow - Millis(1'000),
                                 .outcome = MoveOutcome::done,
                                 .automatic = true}};
  PolicyConfiguration configuration;
  const auto stays = [&] { return rank(view, configuration, {}, plainVm(1).uuid, kNow)->stays; };
  configuration.defaults.mode = Mode::automatic;
  CHECK(names(stays(), Refusal::cooldown));
  CHECK(stays().size() == 1);
  // A host that is to be emptied waits for no cool-down.
  view.hosts[0].maintenance = true;
  CHECK(stays().empty());
  configuration.defaults.mode = Mode::suggest;
  CHECK(stays().at(0).words == "its mode is suggest: its move is only suggested");
  configuration.stop = true;
  REQUIRE(stays().size() == 2);
  CHECK(stays()[0].words == "the global stop holds");
}

TEST_CASE("without a host a VM goes only where it is better off") {
  FleetView view;
  view.hosts = {plainHost(1), plainHost(2)};
  view.hosts[0].vms = {plainVm(1)};
  const auto to = [&] { return destination(*rank(view, {}, {}, plainVm(1).uuid, kNow), ""); };
  CHECK_THAT(to().error().message,
             Catch::StartsWith("no host is better for vm1 than h1, where it is (1.00); the best "
                               "other one is h2 (0.97): name it"));
  CHECK(to().error().code == Code::refused);
  view.hosts[0].maintenance = true;
  REQUIRE(to());
  CHECK(to()->name == "h2");
  view.hosts[0].maintenance = false;
  view.hosts[1] = plainHost(2, 16);
  view.scenarios = {scenarios({plainVm(1).uuid}, 2, 3, [](auto, auto, auto) { return 7.0; })};
  REQUIRE(to());
  CHECK(to()->name == "h2");
  view.hosts[1].maintenance = true;
  CHECK(to().error().message == "no host is better for vm1: h2: is in maintenance");
  CHECK(destination({}, "").error().code == Code::refused);
  CHECK(destination({}, "x").error().code == Code::not_found);
}
