#include <chrono>
#include <cmath>
#include <cstdio>

#include "decide/planner.h"
#include "unit/decide/worlds.h"

using namespace virtseer;
using namespace virtseer::decide;
using namespace virtseer::decide::test;

namespace {

/// A fleet in which every tenth host runs short.
FleetView fleet(std::uint32_t hosts, std::uint32_t vms, std::size_t paths, std::size_t steps) {
  FleetView out;
  for (std::uint32_t host = 0; host < hosts; ++host)
    out.hosts.push_back(plainHost(host, 16, 512 * kGiB));
  std::vector<Uuid> ids;
  for (std::uint32_t vm = 0; vm < vms; ++vm) {
    out.hosts[vm % hosts].vms.push_back(plainVm(vm, (1 + vm % 16) * kGiB));
    ids.push_back(plainVm(vm).uuid);
  }
  out.scenarios = {scenarios(ids, paths, steps, [&](auto path, auto step, auto vm) {
    const bool hot = vm % hosts % 10 == 0;
    return (hot ? 1.7 : 0.7) + 0.3 * std::sin(static_cast<double>(path * 7 + step + vm));
  })};
  return out;
}

double milliseconds(const FleetView& view) {
  PolicyConfiguration configuration;
  configuration.defaults.mode = Mode::automatic;
  PlannerRules rules;
  rules.quiet_rounds = 0;
  rules.hold_rounds = 1;
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    const auto planned = plan({}, view, configuration, rules, kNow);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
    REQUIRE_FALSE(planned.plan.steps.empty());
    best = std::min(best, took.count());
  }
  return best;
}

}  // namespace

TEST_CASE("a plan for 1 000 VMs on 100 hosts", "[.bench]") {
  for (const auto& [hosts, vms] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {10, 100}, {25, 250}, {50, 500}, {100, 1000}, {200, 2000}})
    std::printf("%u hosts, %u VMs, 200 paths of 60 steps: %.1f ms\n", hosts, vms,
                milliseconds(fleet(hosts, vms, 200, 60)));
}
