#include "decide/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "decide/words.h"

namespace virtseer::decide {
namespace {

constexpr std::size_t kMostCounterfactuals = 5;

/// "2 of 3 VMs have no forecast to plan with yet"; empty: all have one.
std::string unforeseen(std::span<const HostOutlook> hosts) {
  std::uint32_t lacking = 0, running = 0;
  for (const auto& host : hosts) {
    if (!host.unusable.empty()) continue;
    lacking += host.vms_unforeseen;
    running += host.vms_running;
  }
  if (lacking == 0) return "";
  return fmt::format("{} of {} VMs {} no forecast to plan with yet", lacking, running,
                     lacking == 1 ? "has" : "have");
}

std::string outlook(const HostOutlook& host) {
  auto out = fmt::format("{}: ", label(host.name));
  if (!host.unusable.empty()) return out + host.unusable;
  if (host.maintenance) out += "in maintenance; ";
  out += fmt::format("{} ({} of {} wanted on average)", words(host.contention),
                     cores(host.contention.mean_cpus), cores(host.capacity_cpus));
  if (host.vms_unforeseen > 0)
    out += fmt::format("; {}, what is wanted now counts instead", unforeseen({&host, 1}));
  return out;
}

std::string rejected(const Rejection& rejection) {
  if (rejection.vm && rejection.host)
    return fmt::format("{} to {}: {}", label(rejection.vm_name), label(rejection.host_name),
                       rejection.words);
  return fmt::format("{}: {}", label(rejection.vm ? rejection.vm_name : rejection.host_name),
                     rejection.words);
}

std::string move(const PlanStep& step) {
  return fmt::format("move {} from {} to {}", label(step.vm_name), label(step.from_name),
                     label(step.to_name));
}

const HostOutlook* mostUrgent(const Plan& plan) {
  const HostOutlook* out = nullptr;
  for (const auto& host : plan.hosts) {
    if (!host.unusable.empty() || !host.contention.until) continue;
    if (!out || *host.contention.until < *out->contention.until) out = &host;
  }
  return out;
}

/// The reasons that stand most often, so that one sentence carries the weight of the list.
std::string mainReasons(const Plan& plan) {
  std::vector<const Rejection*> shown;
  for (const auto& rejection : plan.rejected) {
    if (shown.size() >= 3) break;
    const bool told = std::ranges::any_of(shown, [&](const Rejection* other) {
      return other->why == rejection.why && other->host == rejection.host;
    });
    if (!told && rejection.why != Refusal::lower_score && rejection.why != Refusal::helps_less)
      shown.push_back(&rejection);
  }
  std::string out;
  for (const auto* rejection : shown) out += (out.empty() ? "" : "; ") + rejected(*rejection);
  return out;
}

}  // namespace

std::string whyNowhere(const std::vector<Rejection>& all) {
  if (all.empty()) return "there is no other host";
  constexpr std::size_t kMost = 3;
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kMost); ++i) {
    if (i > 0) out += "; ";
    if (all[i].host) out += label(all[i].host_name) + ": ";
    out += all[i].words;
  }
  if (all.size() > kMost) out += fmt::format("; and {} more reasons", all.size() - kMost);
  return out;
}

std::string words(const Contention& contention) {
  if (!contention.until)
    return fmt::format("not foreseen to run short of CPU ({} likely at most)",
                       percent(contention.probability));
  const auto peak = contention.probability > contention.probability_then
                        ? fmt::format(", {} at most", percent(contention.probability))
                        : std::string();
  if (contention.already)
    return fmt::format("short of CPU already ({} likely{})", percent(contention.probability_then),
                       peak);
  return fmt::format("{} likely to run short of CPU in {}{}", percent(contention.probability_then),
                     span(*contention.until), peak);
}

std::string words(const MoveCost& cost) {
  if (!cost.converges) return "would never end: memory is written faster than it can be sent";
  const auto down = cost.dirty_rate_known ? span(cost.downtime) + " of it down"
                                          : std::string("how much of it down is unknown");
  auto out =
      fmt::format("about {}, {}; {} of memory", span(cost.duration), down, size(cost.memory_bytes));
  if (cost.disk_bytes > 0) out += fmt::format(", {} of disks", size(cost.disk_bytes));
  if (!cost.dirty_rate_known) out += " (how fast it writes its memory is unknown)";
  return out;
}

std::vector<std::string> reasons(const PlanStep& step, const HostOutlook& source,
                                 const PlannerRules& rules) {
  std::vector<std::string> out;
  const auto vm = label(step.vm_name);
  if (step.cause == StepCause::maintenance) {
    out.push_back(fmt::format("{} is in maintenance and is to be emptied", label(step.from_name)));
  } else {
    out.push_back(fmt::format("{} is {}, foreseen in {} rounds", label(step.from_name),
                              words(step.from_before), source.held_rounds));
    for (const auto& share : source.shares)
      if (share.vm == step.vm)
        out.push_back(fmt::format("{} wants {} on average and causes {} of the shortage", vm,
                                  cores(share.mean_cpus), percent(share.share)));
    out.push_back(fmt::format(
        "without {} it is {} likely to run short instead of {}; the move takes {} of the shortage "
        "away, at least {} is asked for",
        vm, percent(step.from_after.probability), percent(step.from_before.probability),
        percent(step.relief), percent(rules.margin)));
  }
  const bool crowded = step.to_after.probability > rules.target_limit;
  out.push_back(fmt::format(
      "{} with {} on it is {} likely to run short, {} ({} wanted on average)", label(step.to_name),
      vm, percent(step.to_after.probability),
      crowded ? "but no host that can take it has more room, and maintenance counts more"
              : percent(rules.target_limit) + " is allowed",
      cores(step.to_after.mean_cpus)));
  if (!crowded) out.push_back(fmt::format("it has the best score, {:.2f}", step.score));
  out.push_back(fmt::format("the move takes {}", words(step.cost)));
  return out;
}

std::vector<std::string> counterfactuals(const Plan& plan) {
  std::vector<std::string> out;
  const auto add = [&](std::string line) {
    if (out.size() < kMostCounterfactuals && std::ranges::find(out, line) == out.end())
      out.push_back(std::move(line));
  };
  for (const auto& rejection : plan.rejected)
    if (rejection.vm && rejection.host && !rejection.would.empty())
      add(fmt::format("{} could move to {} if {}", label(rejection.vm_name),
                      label(rejection.host_name), rejection.would));
  for (const auto& rejection : plan.rejected) {
    if (rejection.vm && rejection.host) continue;
    if (rejection.would.empty()) continue;
    if (rejection.vm)
      add(fmt::format("{} could be considered if {}", label(rejection.vm_name), rejection.would));
    else
      add(fmt::format("{} could be considered as a target if {}", label(rejection.host_name),
                      rejection.would));
  }
  return out;
}

std::string verdict(const Plan& plan) {
  if (!plan.steps.empty()) {
    const auto& step = plan.steps.front();
    auto out = move(step);
    if (step.executable)
      out += ", now";
    else
      out += ", not carried out: " + step.held_back;
    if (plan.steps.size() > 1) out += fmt::format(" (and {} more)", plan.steps.size() - 1);
    return out;
  }
  const auto* host = mostUrgent(plan);
  const bool maintenance =
      std::ranges::any_of(plan.hosts, [](const auto& h) { return h.maintenance; });
  const auto why = mainReasons(plan);
  const auto lacking = unforeseen(plan.hosts);
  if (!host && !maintenance)
    return "nothing to do: no host is foreseen to run short" +
           (lacking.empty() ? "" : ", but " + lacking);
  // A host in maintenance is emptied by the plans of its own daemon.
  if (!host && plan.rejected.empty() && plan.reasons.empty())
    return "nothing to do: no host is foreseen to run short, and no VM here is to leave a host in "
           "maintenance" +
           (lacking.empty() ? "" : "; " + lacking);
  auto out = host ? fmt::format("no beneficial action: {} is {}", label(host->name),
                                words(host->contention))
                  : std::string("no beneficial action");
  if (!why.empty()) out += "; " + why;
  if (!lacking.empty()) out += "; " + lacking;
  return out;
}

std::vector<std::string> explain(const Plan& plan) {
  std::vector<std::string> out{plan.verdict};
  for (const auto& host : plan.hosts) out.push_back(outlook(host));
  for (const auto& step : plan.steps) {
    out.push_back(fmt::format("{} ({}, {}, mode {}): {}", move(step), name(step.cause),
                              name(step.state), name(step.mode),
                              step.executable ? "is carried out" : step.held_back));
    for (const auto& reason : step.reasons) out.push_back("  because " + reason);
    for (const auto& otherwise : step.counterfactuals) out.push_back("  " + otherwise);
  }
  for (const auto& reason : plan.reasons) out.push_back(reason);
  for (const auto& rejection : plan.rejected) out.push_back("not taken: " + rejected(rejection));
  if (plan.rejected_more > 0) out.push_back(fmt::format("not taken: {} more", plan.rejected_more));
  for (const auto& otherwise : plan.counterfactuals) out.push_back(otherwise);
  return out;
}

std::vector<std::string> explain(const Ranking& ranking) {
  std::vector<std::string> out;
  for (const auto& why : ranking.stays)
    out.push_back(fmt::format("{} stays: {}", label(ranking.vm_name), why.words));
  for (const auto& host : ranking.hosts) {
    if (!host.excluded.empty()) {
      std::string all;
      for (const auto& why : host.excluded) all += (all.empty() ? "" : "; ") + why.words;
      out.push_back(fmt::format("{}: no: {}", label(host.name), all));
      continue;
    }
    out.push_back(fmt::format("{}: {:.2f}{}", label(host.name), host.score,
                              host.current ? " (where it is)" : ""));
    for (const auto& part : host.parts)
      out.push_back(
          fmt::format("  {} {:.2f} x {:.2f}: {}", part.name, part.weight, part.value, part.words));
  }
  return out;
}

}  // namespace virtseer::decide
