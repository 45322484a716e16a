#include "decide/planner.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "decide/round.h"

namespace virtseer::decide {
namespace {

// An ordered move shows in the fleet within seconds; after this it is taken as never begun.
constexpr Millis kIssuedGrace = std::chrono::seconds(60);

/// Drops what shows in the fleet by now, or has had its time.
void forget(std::vector<Issued>& issued, const FleetView& view, Timestamp now) {
  if (issued.empty()) return;
  std::unordered_map<Uuid, const Issued*> waiting;
  for (const auto& order : issued) waiting.try_emplace(order.vm, &order);
  std::vector<Uuid> seen;
  for (const auto& host : view.hosts) {
    for (const auto& flight : host.flights) seen.push_back(flight.vm);
    for (const auto& vm : host.vms) {
      const auto order = waiting.find(vm.uuid);
      if (order == waiting.end()) continue;
      const bool over = std::ranges::any_of(
          vm.moves, [&](const PastMove& move) { return move.started >= order->second->at; });
      if (over || order->second->to == host.uuid) seen.push_back(vm.uuid);
    }
  }
  std::erase_if(issued, [&](const Issued& order) {
    return now - order.at >= kIssuedGrace || order.at - now >= kIssuedGrace ||
           std::ranges::find(seen, order.vm) != seen.end();
  });
}

/// A call much sooner than a round after the last one must not hasten what counts rounds. A clock
/// that was set back starts counting anew.
bool isRound(const PlannerState& state, const PlannerRules& rules, Timestamp now) {
  return !state.counted || now < *state.counted || now - *state.counted >= rules.round / 2;
}

PlannerState begin(PlannerState state, bool counts, const FleetView& view, Timestamp now) {
  if (counts) {
    ++state.round;
    state.counted = now;
  }
  forget(state.issued, view, now);
  std::erase_if(state.holds, [&](const auto& hold) {
    return std::ranges::none_of(view.hosts,
                                [&](const auto& host) { return host.uuid == hold.first; });
  });
  return state;
}

}  // namespace

Planned plan(PlannerState state, const FleetView& view, const PolicyConfiguration& configuration,
             const PlannerRules& rules, Timestamp now) {
  const bool counts = isRound(state, rules, now);
  return Round(begin(std::move(state), counts, view, now), counts, view, configuration, rules, now)
      .run();
}

bool sameDecision(const Plan& a, const Plan& b) {
  const auto same_step = [](const PlanStep& x, const PlanStep& y) {
    return x.vm == y.vm && x.from == y.from && x.to == y.to && x.cause == y.cause &&
           x.state == y.state && x.executable == y.executable && x.mode == y.mode;
  };
  const auto same_host = [](const HostOutlook& x, const HostOutlook& y) {
    return x.host == y.host && x.maintenance == y.maintenance &&
           x.unusable.empty() == y.unusable.empty() &&
           x.contention.until.has_value() == y.contention.until.has_value() &&
           x.contention.already == y.contention.already;
  };
  return a.stopped == b.stopped && std::ranges::equal(a.steps, b.steps, same_step) &&
         std::ranges::equal(a.hosts, b.hosts, same_host);
}

}  // namespace virtseer::decide
