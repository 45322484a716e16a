#include "daemon/round_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "daemon/fleet_view.h"
#include "daemon/scenario_join.h"
#include "decide/suitability.h"
#include "decide/words.h"

namespace virtseer::daemon {
namespace {

constexpr std::size_t kPaths = 100;
/// The same draws each round: plans differ where the world does, not by luck.
constexpr std::uint64_t kSeed = 1;
/// Demands sent to a peer in one answer: half a megabyte of base64.
constexpr std::size_t kMostSent = 200'000;

/// How long a VM must have been seen without a break before plans go by a forecast over this
/// horizon.
Millis seenFor(Millis horizon) {
  return 3 * horizon / 2;
}

std::string whyMissing(Resource resource) {
  switch (resource) {
    case Resource::cpu:
      return "cpu: libvirt has told no CPU time yet";
    case Resource::memory:
      return "memory: neither an agent nor the balloon driver tells how much is used";
    case Resource::disk:
      return "disk: no disk has been seen yet";
    case Resource::network:
      return "network: no interface has been seen yet";
  }
  return "";
}

}  // namespace

RoundWorker::RoundWorker(predict::PredictorOptions options, decide::PlannerRules rules)
    : options_(std::move(options)),
      rules_(rules),
      plan_horizons_(planHorizons(
          options_.horizons.empty() ? predict::PredictorOptions{}.horizons : options_.horizons,
          rules.act_within)),
      predictor_(options_) {}

Result<void> RoundWorker::restore(std::string_view bytes) {
  auto restored = predict::Predictor::restore(options_, bytes);
  if (!restored) return fail(restored.error());
  predictor_ = std::move(*restored);
  known_.clear();
  return {};
}

void RoundWorker::bound(const std::vector<RunningVm>& running) {
  for (const auto& vm : running) {
    predictor_.bound(vm.uuid, Resource::cpu, vm.vcpus);
    predictor_.bound(vm.uuid, Resource::memory, vm.memory_bytes);
  }
}

std::uint64_t RoundWorker::learn(const std::vector<RunningVm>& running,
                                 const std::vector<VmHistory>& histories, Millis budget) {
  bound(running);
  std::vector<Observation> past;
  for (const auto& history : histories) {
    // Of a VM that was here before the end of its past is known already.
    const auto known = known_.find(history.vm);
    for (const auto& point : history.demand)
      if (known == known_.end() || point.time > known->second.last)
        past.push_back({history.vm, Resource::cpu, point.time, point.value});
  }
  std::ranges::sort(past, {}, [](const Observation& one) { return std::pair(one.time, one.vm); });
  const auto deadline = std::chrono::steady_clock::now() + budget;
  std::uint64_t scored = 0;
  std::int64_t step = -1;
  for (const auto& one : past) {
    const auto at = one.time.time_since_epoch() / options_.step;
    if (at != step && step >= 0 && std::chrono::steady_clock::now() < deadline)
      scored += predictor_.score(one.time).size();
    step = at;
    observe(one);
  }
  return scored;
}

void RoundWorker::observe(const Observation& one) {
  predictor_.observe(one.vm, one.resource, one.time, one.value);
  if (one.resource != Resource::cpu) return;
  auto& known = known_.try_emplace(one.vm, Known{one.time, one.time}).first->second;
  const auto gap = one.time - known.last;
  if (gap > plan_horizons_.front() || gap < Millis(0)) known.since = one.time;
  known.last = one.time;
}

bool RoundWorker::unripe(const Uuid& vm, Resource resource, Millis horizon, Timestamp now) const {
  const bool planned = resource == Resource::cpu &&
                       std::ranges::find(plan_horizons_, horizon) != plan_horizons_.end();
  const auto known = known_.find(vm);
  return planned && (known == known_.end() || now - known->second.since < seenFor(horizon));
}

VmForesight RoundWorker::foresee(const Uuid& vm, Timestamp now) const {
  VmForesight out;
  for (std::size_t r = 0; r < kResources; ++r) {
    const auto resource = static_cast<Resource>(r);
    std::vector<Millis> lacking;
    for (const auto horizon : options_.horizons) {
      auto forecast = predictor_.forecast(vm, resource, horizon, now);
      if (forecast && unripe(vm, resource, horizon, now))
        forecast->note += fmt::format(
            "{}plans make no use of it until the VM has been seen for {} without a break",
            forecast->note.empty() ? "" : "; ", decide::span(seenFor(horizon)));
      if (forecast)
        out.forecasts.push_back({std::move(*forecast),
                                 predictor_.record(vm, resource, horizon).value_or(TrackRecord{})});
      else
        lacking.push_back(horizon);
    }
    if (lacking.size() == options_.horizons.size()) {
      out.missing.push_back(whyMissing(resource));
      continue;
    }
    for (const auto horizon : lacking)
      out.missing.push_back(fmt::format("{} over {}: not observed for long enough, or not lately",
                                        name(resource), decide::span(horizon)));
  }
  return out;
}

Scenarios RoundWorker::scenarios(const RoundOrder& order) const {
  std::vector<Scenarios> sets;
  for (const auto horizon : plan_horizons_) {
    std::vector<Uuid> vms;
    for (const auto& vm : order.running) {
      if (!unripe(vm.uuid, Resource::cpu, horizon, order.now)) vms.push_back(vm.uuid);
    }
    if (auto set = predictor_.scenarios(vms, Resource::cpu, horizon, kPaths, kSeed))
      sets.push_back(std::move(*set));
  }
  auto out = joinHorizons(sets);
  if (out.vms.empty()) {
    // Without a VM of its own a host gives the grid all the same, for its peers' demand.
    out.start = order.now;
    out.steps = 60;
    out.paths = kPaths;
    out.step = std::max(plan_horizons_.back() / 60, Millis(1));
  }
  if (order.own && order.own_cpus > 0) addFlat(out, order.own->uuid, order.own_cpus);
  return out;
}

RoundAnswer RoundWorker::round(RoundOrder order) {
  for (const auto& vm : order.forgotten) {
    predictor_.forget(vm);
    known_.erase(vm);
  }
  bound(order.running);
  for (const auto& one : order.observations) observe(one);
  RoundAnswer out;
  if (const auto step = order.now.time_since_epoch() / options_.step; step != scored_step_) {
    scored_step_ = step;
    out.scored = predictor_.score(order.now).size();
  }
  out.dropped = predictor_.dropped() + predictor_.refused();
  auto foreseen = std::make_shared<Foreseen>();
  for (const auto& vm : order.running)
    foreseen->vms.try_emplace(vm.uuid, foresee(vm.uuid, order.now));
  auto paths = scenarios(order);
  foreseen->scenarios = thinned(paths, kMostSent);
  out.foreseen = std::move(foreseen);
  if (!order.own) return out;
  view_ = fleetView(std::move(*order.own), std::move(paths), std::move(order.peers));
  auto planned = decide::plan(std::move(state_), *view_, order.policy, rules_, order.now);
  state_ = std::move(planned.state);
  out.plan = std::move(planned.plan);
  return out;
}

Result<Ranking> RoundWorker::rank(const Uuid& vm, const PolicyConfiguration& policy,
                                  Timestamp now) const {
  if (!view_)
    return fail(Code::busy,
                "hosts are not ranked yet: this host's libvirt has not told enough; try again in "
                "some seconds");
  return decide::rank(*view_, policy, rules_, vm, now);
}

}  // namespace virtseer::daemon
