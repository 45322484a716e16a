#include "decide/suitability.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "decide/explain.h"
#include "decide/filters.h"
#include "decide/policy.h"
#include "decide/words.h"

namespace virtseer::decide {
namespace {

double bounded(double value) {
  return std::isfinite(value) ? std::clamp(value, 0.0, 1.0) : 0.0;
}

std::vector<ScorePart> parts(const RankedHost& ranked, const Placement::HostRow& host,
                             std::uint64_t memory_after, const PlannerRules& rules) {
  const auto& weights = rules.weights;
  const double capacity = host.state->capacity.cpus * rules.full;
  const double memory = static_cast<double>(host.state->capacity.memory_bytes);
  const double seconds = std::chrono::duration<double>(ranked.cost.duration).count();
  static constexpr double kSlow = 60;  // seconds: a move of a minute is worth half
  std::vector<ScorePart> out;
  out.push_back(
      {"contention", weights.contention, bounded(1 - ranked.after.probability),
       fmt::format("{} likely to run short with the VM there", percent(ranked.after.probability))});
  out.push_back(
      {"headroom", weights.headroom, bounded(1 - ranked.after.mean_cpus / capacity),
       fmt::format("{} of {} wanted on average", cores(ranked.after.mean_cpus), cores(capacity))});
  out.push_back({"memory", weights.memory, bounded(static_cast<double>(memory_after) / memory),
                 fmt::format("{} of memory left", size(memory_after))});
  out.push_back({"cost", weights.cost, ranked.current ? 1.0 : kSlow / (kSlow + seconds),
                 ranked.current ? "nothing has to move" : words(ranked.cost)});
  out.push_back({"calm", weights.calm, 1.0 / (1.0 + host.in_flight),
                 fmt::format("{} other moves under way", host.in_flight)});
  return out;
}

/// What policy says about a move that nobody has asked for.
std::vector<Exclusion> heldBack(const PolicyConfiguration& configuration, const Policy& policy) {
  std::vector<Exclusion> out;
  if (configuration.stop)
    out.push_back({Refusal::policy, "the global stop holds", "it were lifted", true});
  if (policy.mode != Mode::automatic)
    out.push_back({Refusal::policy,
                   fmt::format("its mode is {}: {}", name(policy.mode),
                               policy.mode == Mode::suggest ? "its move is only suggested"
                                                            : "its move is only shown"),
                   "its mode were auto", true});
  return out;
}

/// Of a host other than the one that the VM counts for, and that tells of it too.
Exclusion there(const Placement::VmRow& guest) {
  if (guest.in_flight) return {Refusal::in_flight, "takes part in a move of the VM", ""};
  if (guest.twice)
    return {Refusal::twice, "says that the VM runs there too", "one of the two were stopped"};
  return {Refusal::twice, "has a copy of the VM already", ""};
}

Exclusion overloaded(const RankedHost& ranked, const PlannerRules& rules) {
  return {Refusal::contended,
          fmt::format("{} likely to run short with the VM there, {} is allowed ({} wanted on "
                      "average)",
                      percent(ranked.after.probability), percent(rules.target_limit),
                      cores(ranked.after.mean_cpus)),
          fmt::format("it were under {} likely to run short with the VM there",
                      percent(rules.target_limit)),
          true};
}

}  // namespace

RankedHost judge(Placement& placement, std::uint32_t vm, std::uint32_t host, const Policy& policy,
                 const PlannerRules& rules, Timestamp now, bool* shared_disks) {
  const auto& guest = placement.vms()[vm];
  const auto& target = placement.hosts()[host];
  RankedHost out;
  out.host = target.state->uuid;
  out.name = target.state->name;
  out.current = guest.host == host;
  out.before = target.contention;
  auto check = checkTarget(*guest.vm, *placement.hosts()[guest.host].state, *target.state,
                           target.memory_free, policy, rules, now);
  if (shared_disks) *shared_disks = check.shared_disks;
  if (out.current && target.state->maintenance)
    out.excluded.push_back(
        {Refusal::maintenance, "is in maintenance", "its maintenance were over"});
  if (!out.current) {
    out.excluded = std::move(check.excluded);
    // What a silent host said last is no longer known to be so.
    if (target.unusable.empty() && placement.lists(host, guest.vm->uuid))
      out.excluded.push_back(there(guest));
  }
  out.cost = check.cost;
  if (!target.unusable.empty()) return out;
  out.after = out.current ? out.before : placement.with(host, vm, 1);
  if (!out.current && out.after.probability > rules.target_limit)
    out.excluded.push_back(overloaded(out, rules));
  const auto needed = out.current ? 0 : guest.vm->memory_bytes;
  out.parts =
      parts(out, target, target.memory_free > needed ? target.memory_free - needed : 0, rules);
  for (const auto& part : out.parts) out.score += part.weight * part.value;
  return out;
}

bool ranksBefore(const RankedHost& a, const RankedHost& b) {
  const auto key = [](const RankedHost& host) {
    // Scores are compared in millionths: what differs by less is decided by name, not by rounding.
    return std::tuple(host.fits()    ? 0
                      : host.current ? 1
                                     : 2,
                      -static_cast<std::int64_t>(std::llround(host.score * 1e6)));
  };
  return std::tuple_cat(key(a), std::tie(a.name, a.host)) <
         std::tuple_cat(key(b), std::tie(b.name, b.host));
}

Result<Ranking> rank(const FleetView& view, const PolicyConfiguration& configuration,
                     const PlannerRules& rules, const Uuid& vm, Timestamp now) {
  Placement placement(view, {}, rules, now);
  const auto index = placement.vm(vm);
  if (!index)
    return fail(Code::not_found, fmt::format("no host lists VM {} as running", vm.text()));
  const auto& guest = placement.vms()[*index];
  const auto policy = resolvedPolicy(configuration, *guest.vm);
  Ranking out;
  out.vm = vm;
  out.vm_name = guest.vm->name;
  out.made = now;
  // A host that is to be emptied waits for no cool-down.
  const auto& here = *placement.hosts()[guest.host].state;
  const auto cause = here.maintenance ? StepCause::maintenance : StepCause::contention;
  out.stays = checkVm(*guest.vm, policy, cause, rules, now);
  for (auto& held : heldBack(configuration, policy)) out.stays.push_back(std::move(held));
  if (guest.in_flight) out.stays.push_back({Refusal::in_flight, "is being moved", ""});
  if (guest.twice) out.stays.push_back({Refusal::twice, "two hosts say that it runs on them", ""});
  for (std::uint32_t host = 0; host < placement.hosts().size(); ++host)
    out.hosts.push_back(judge(placement, *index, host, policy, rules, now));
  std::ranges::sort(out.hosts, ranksBefore);
  return out;
}

}  // namespace virtseer::decide
