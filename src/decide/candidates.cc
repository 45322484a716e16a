#include "decide/candidates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "decide/explain.h"
#include "decide/filters.h"
#include "decide/policy.h"
#include "decide/suitability.h"
#include "decide/words.h"

namespace virtseer::decide {
namespace {

/// A search away from one host.
struct Search {
  Placement& placement;
  std::uint32_t from;
  StepCause cause;
  const PolicyConfiguration& configuration;
  const PlannerRules& rules;
  Timestamp now;
  std::vector<std::uint32_t> targets;  ///< worth judging, most free cores first
  Choice choice;
};

Rejection rejectHost(const HostState& host, Exclusion why) {
  return {std::nullopt,        "", host.uuid, host.name, why.why, std::move(why.words),
          std::move(why.would)};
}

Rejection rejectVm(const PlacedVm& vm, Exclusion why) {
  return {vm.uuid, vm.name, std::nullopt, "", why.why, std::move(why.words), std::move(why.would)};
}

Rejection rejectPair(const PlacedVm& vm, const HostState& host, const std::vector<Exclusion>& all) {
  Rejection out{vm.uuid, vm.name, host.uuid, host.name, all.front().why, "", ""};
  for (const auto& why : all) {
    if (!out.words.empty()) out.words += "; ";
    out.words += why.words;
  }
  // With several conditions unmet, one of them alone would change nothing.
  if (all.size() == 1) out.would = all.front().would;
  return out;
}

double freeCores(const Placement::HostRow& host) {
  return host.state->capacity.cpus - host.contention.mean_cpus;
}

/// Whether a host comes into question all the same: who empties a host for maintenance wants it
/// empty, and crowded is better than off.
bool onlyCrowded(const RankedHost& host, StepCause cause) {
  return cause == StepCause::maintenance && std::ranges::all_of(host.excluded, [](const auto& why) {
           return why.why == Refusal::contended;
         });
}

/// Why no VM at all can go to a host, whatever it is.
std::optional<Exclusion> closed(const Placement::HostRow& host, StepCause cause,
                                const PlannerRules& rules) {
  if (!host.unusable.empty()) return host.unusable.front();
  if (host.state->maintenance)
    return Exclusion{Refusal::maintenance, "is in maintenance", "its maintenance were over"};
  if (cause != StepCause::maintenance && host.contention.probability > rules.target_limit)
    return Exclusion{
        Refusal::contended,
        fmt::format("{} likely to run short as it is, {} is allowed ({} of {} wanted on average)",
                    percent(host.contention.probability), percent(rules.target_limit),
                    cores(host.contention.mean_cpus), cores(host.state->capacity.cpus)),
        fmt::format("it were under {} likely to run short", percent(rules.target_limit))};
  return std::nullopt;
}

/// Sorts out hosts that can take nobody, and orders the rest.
void openTargets(Search& search) {
  const auto& hosts = search.placement.hosts();
  for (std::uint32_t host = 0; host < hosts.size(); ++host) {
    if (host == search.from) continue;
    if (auto why = closed(hosts[host], search.cause, search.rules))
      search.choice.rejected.push_back(rejectHost(*hosts[host].state, std::move(*why)));
    else
      search.targets.push_back(host);
  }
  std::ranges::sort(search.targets, [&](std::uint32_t a, std::uint32_t b) {
    const auto key = [&](std::uint32_t host) {
      return std::tuple(-std::llround(freeCores(hosts[host]) * 1e6), hosts[host].state->uuid);
    };
    return key(a) < key(b);
  });
}

/// Why this VM does not come into question, for the cause at hand.
std::vector<Exclusion> gate(const Search& search, std::uint32_t vm, const Policy& policy) {
  const auto& guest = search.placement.vms()[vm];
  auto out = checkVm(*guest.vm, policy, search.cause, search.rules, search.now);
  if (guest.in_flight) out.push_back({Refusal::in_flight, "is being moved already", ""});
  if (guest.twice) out.push_back({Refusal::twice, "two hosts say that it runs on them", ""});
  if (search.cause == StepCause::contention && !guest.forecast)
    out.push_back({Refusal::no_forecast, "has no forecast to plan with yet", "it had one"});
  return out;
}

/// What the host would lack with the VM there; a host that fits lacks less than any other.
long long lacking(const RankedHost& host) {
  return host.fits() ? -1 : std::llround(host.after.shortage_cpus * 1e6);
}

/// Why a host was not chosen that comes into question too.
Exclusion comesSecond(const RankedHost& host, const RankedHost& best) {
  if (host.fits())
    return {Refusal::lower_score,
            fmt::format("fits too, with a score of {:.2f} against {:.2f} of {}", host.score,
                        best.score, label(best.name)),
            ""};
  return {
      Refusal::contended,
      fmt::format("{} likely to run short with the VM there ({} wanted on average): {} has "
                  "more room",
                  percent(host.after.probability), cores(host.after.mean_cpus), label(best.name)),
      ""};
}

/// The best host for a VM among those worth judging; the others go to the rejections.
std::optional<Candidate> bestTarget(Search& search, std::uint32_t vm, const Policy& policy) {
  const auto& placement = search.placement;
  std::vector<std::pair<RankedHost, std::pair<std::uint32_t, bool>>> fitting;
  std::size_t looked_at = 0, fit = 0;
  const auto& guest = *placement.vms()[vm].vm;
  for (const auto host : search.targets) {
    if (fit >= search.rules.shortlist) break;
    ++looked_at;
    bool shared = false;
    auto ranked = judge(search.placement, vm, host, policy, search.rules, search.now, &shared);
    fit += ranked.fits() ? 1 : 0;
    if (ranked.fits() || onlyCrowded(ranked, search.cause))
      fitting.push_back({std::move(ranked), {host, shared}});
    else
      search.choice.rejected.push_back(
          rejectPair(guest, *placement.hosts()[host].state, ranked.excluded));
  }
  if (looked_at < search.targets.size())
    search.choice.rejected.push_back(
        rejectVm(guest, {Refusal::fewer_cores,
                         fmt::format("{} more hosts have fewer free cores than the {} that fit it",
                                     search.targets.size() - looked_at, fit),
                         ""}));
  if (fitting.empty()) return std::nullopt;
  std::ranges::sort(fitting, [](const auto& a, const auto& b) {
    const auto x = lacking(a.first), y = lacking(b.first);
    return x != y ? x < y : ranksBefore(a.first, b.first);
  });
  static constexpr std::size_t kRunnersUp = 3;
  for (std::size_t i = 1; i < std::min(fitting.size(), kRunnersUp + 1); ++i)
    search.choice.rejected.push_back(rejectPair(guest,
                                                *placement.hosts()[fitting[i].second.first].state,
                                                {comesSecond(fitting[i].first, fitting[0].first)}));
  Candidate out;
  out.vm = vm;
  out.to = fitting[0].second.first;
  out.shared_disks = fitting[0].second.second;
  out.target = std::move(fitting[0].first);
  out.policy = policy;
  return out;
}

/// Fills in what the move does for the source, and what it is worth.
void weigh(Search& search, Candidate& candidate) {
  const auto& source = search.placement.hosts()[search.from];
  const auto& rules = search.rules;
  candidate.from_before = source.contention;
  candidate.from_after = search.placement.with(search.from, candidate.vm, -1);
  const double before = candidate.from_before.shortage_cpus;
  const double caused =
      std::max(0.0, candidate.target.after.shortage_cpus - candidate.target.before.shortage_cpus);
  if (before > 0)
    candidate.relief = (before - candidate.from_after.shortage_cpus - caused) / before;
  const double seconds = std::chrono::duration<double>(candidate.target.cost.duration).count();
  static constexpr double kSlow = 120;  // seconds: a move of two minutes costs half of the weight
  const auto& target = search.placement.hosts()[candidate.to];
  const double fullest = std::max(candidate.from_after.mean_cpus / source.state->capacity.cpus,
                                  candidate.target.after.mean_cpus / target.state->capacity.cpus);
  candidate.value = candidate.relief - rules.cost_weight * seconds / (seconds + kSlow) -
                    rules.priority_weight * (candidate.policy.priority - 50) / 100.0 +
                    rules.balance_weight * (1 - std::min(1.0, fullest));
}

bool better(const Search& search, const Candidate& a, const Candidate& b) {
  const auto key = [&](const Candidate& candidate) {
    const auto& vm = *search.placement.vms()[candidate.vm].vm;
    return std::tuple(-std::llround(candidate.value * 1e6), vm.memory_bytes, vm.name, vm.uuid);
  };
  return key(a) < key(b);
}

/// The VMs of the host that come into question, those that want most first.
std::vector<std::pair<std::uint32_t, Policy>> movable(Search& search) {
  const auto& vms = search.placement.vms();
  std::vector<std::pair<std::uint32_t, Policy>> out;
  for (const auto vm : search.placement.hosts()[search.from].vms) {
    const auto policy = resolvedPolicy(search.configuration, *vms[vm].vm);
    auto why = gate(search, vm, policy);
    if (why.empty())
      out.emplace_back(vm, policy);
    else
      search.choice.rejected.push_back(rejectVm(*vms[vm].vm, std::move(why.front())));
  }
  std::ranges::sort(out, [&](const auto& a, const auto& b) {
    const auto key = [&](std::uint32_t vm) {
      return std::tuple(-std::llround(vms[vm].mean_cpus * 1e6), vms[vm].vm->uuid);
    };
    return key(a.first) < key(b.first);
  });
  for (std::size_t i = search.rules.candidates; i < out.size(); ++i)
    search.choice.rejected.push_back(
        rejectVm(*vms[out[i].first].vm,
                 {Refusal::helps_less,
                  fmt::format("wants {} on average, less than the {} VMs that were judged",
                              cores(vms[out[i].first].mean_cpus), search.rules.candidates),
                  ""}));
  if (out.size() > search.rules.candidates) out.resize(search.rules.candidates);
  return out;
}

Exclusion tooLittle(const Candidate& candidate, const PlannerRules& rules) {
  return {Refusal::no_relief,
          fmt::format("would take {} of the shortage away, {} is the least worth a move",
                      percent(std::max(0.0, candidate.relief)), percent(rules.margin)),
          fmt::format("the move took at least {} of the shortage away", percent(rules.margin))};
}

Exclusion helpsLess(const Candidate& candidate, const Candidate& best, const PlacedVm& best_vm) {
  return {
      Refusal::helps_less,
      fmt::format("could go to {}, which takes {} of the shortage away in {}; {} takes {} in "
                  "{} (worth {:.2f} against {:.2f})",
                  label(candidate.target.name), percent(std::max(0.0, candidate.relief)),
                  span(candidate.target.cost.duration), label(best_vm.name), percent(best.relief),
                  span(best.target.cost.duration), candidate.value, best.value),
      ""};
}

}  // namespace

Choice chooseForContention(Placement& placement, std::uint32_t host,
                           const PolicyConfiguration& configuration, const PlannerRules& rules,
                           Timestamp now) {
  Search search{placement, host, StepCause::contention, configuration, rules, now, {}, {}};
  openTargets(search);
  const auto vms = movable(search);
  // Where no host can take anybody the costly part is not even begun.
  if (search.targets.empty()) return std::move(search.choice);
  std::vector<Candidate> useful;
  for (const auto& [vm, policy] : vms) {
    auto candidate = bestTarget(search, vm, policy);
    if (!candidate) continue;
    weigh(search, *candidate);
    if (candidate->relief >= rules.margin)
      useful.push_back(std::move(*candidate));
    else
      search.choice.rejected.push_back(rejectPair(*placement.vms()[vm].vm,
                                                  *placement.hosts()[candidate->to].state,
                                                  {tooLittle(*candidate, rules)}));
  }
  std::ranges::sort(useful, [&](const auto& a, const auto& b) { return better(search, a, b); });
  for (std::size_t i = 1; i < useful.size(); ++i)
    search.choice.rejected.push_back(
        rejectPair(*placement.vms()[useful[i].vm].vm, *placement.hosts()[useful[i].to].state,
                   {helpsLess(useful[i], useful[0], *placement.vms()[useful[0].vm].vm)}));
  if (!useful.empty()) search.choice.best = std::move(useful.front());
  return std::move(search.choice);
}

Choice chooseForMaintenance(Placement& placement, std::uint32_t vm,
                            const PolicyConfiguration& configuration, const PlannerRules& rules,
                            Timestamp now) {
  const auto& guest = placement.vms()[vm];
  Search search{placement, guest.host, StepCause::maintenance, configuration, rules, now, {}, {}};
  const auto policy = resolvedPolicy(configuration, *guest.vm);
  for (auto& why : gate(search, vm, policy))
    search.choice.rejected.push_back(rejectVm(*guest.vm, std::move(why)));
  if (!search.choice.rejected.empty()) return std::move(search.choice);
  openTargets(search);
  search.choice.best = bestTarget(search, vm, policy);
  if (search.choice.best) weigh(search, *search.choice.best);
  return std::move(search.choice);
}

}  // namespace virtseer::decide
