#include "decide/demand.h"

#include <algorithm>

namespace virtseer::decide {
namespace {

// Above any machine: keeps a nonsensical forecast from drowning sums in infinity.
constexpr float kMostCores = 1e5F;

float clean(float demand) {
  return demand > 0 ? std::min(demand, kMostCores) : 0.0F;
}

bool wellFormed(const Scenarios& set) {
  return set.step.count() > 0 && set.steps > 0 && set.paths > 0 && !set.vms.empty() &&
         set.demand.size() % set.vms.size() == 0 &&
         set.demand.size() / set.vms.size() == set.steps * set.paths;
}

/// The step of `set` that holds `time`, held to its first and last.
std::size_t stepAt(const Scenarios& set, Timestamp time) {
  if (time <= set.start) return 0;
  const auto index = static_cast<std::size_t>((time - set.start) / set.step);
  return std::min(index, set.steps - 1);
}

}  // namespace

DemandTable::DemandTable(std::span<const Scenarios> scenarios, Timestamp now) {
  grid_.start = now;
  for (const auto& set : scenarios) {
    if (!wellFormed(set)) continue;
    if (sets_.empty()) {
      const auto past = stepAt(set, now);
      grid_.step = set.step;
      grid_.start = set.start + set.step * static_cast<std::int64_t>(past);
      grid_.steps = std::min(set.steps - past, kMostSteps);
      grid_.paths = std::min(set.paths, kMostPaths);
    }
    Set added{&set, {}, std::vector<bool>(set.vms.size(), false)};
    for (std::size_t step = 0; step < grid_.steps; ++step)
      added.step_at.push_back(
          stepAt(set, grid_.start + grid_.step * static_cast<std::int64_t>(step)));
    for (std::size_t column = 0; column < set.vms.size(); ++column)
      added.counts[column] =
          places_
              .try_emplace(set.vms[column], Place{static_cast<std::uint32_t>(sets_.size()),
                                                  static_cast<std::uint32_t>(column)})
              .second;
    sets_.push_back(std::move(added));
  }
}

const float* DemandTable::row(const Set& set, std::size_t path, std::size_t step) const {
  const auto& from = *set.scenarios;
  const auto index = (path % from.paths) * from.steps + set.step_at[step];
  return from.demand.data() + index * from.vms.size();
}

Demand DemandTable::column(const Uuid& vm) const {
  const auto found = places_.find(vm);
  if (found == places_.end()) return {};
  const auto& set = sets_[found->second.set];
  Demand out(grid_.rows());
  std::size_t at = 0;
  for (std::size_t path = 0; path < grid_.paths; ++path)
    for (std::size_t step = 0; step < grid_.steps; ++step)
      out[at++] = clean(row(set, path, step)[found->second.column]);
  return out;
}

std::vector<Demand> DemandTable::sums(const std::unordered_map<Uuid, std::uint32_t>& host_of,
                                      std::size_t hosts,
                                      std::unordered_map<Uuid, double>& means) const {
  std::vector<Demand> out(hosts, Demand(grid_.rows(), 0.0F));
  // One place more than hosts takes what belongs nowhere, so that the inner loop has no branch.
  std::vector<float> row_sums(hosts + 1);
  for (const auto& set : sets_) {
    const auto& vms = set.scenarios->vms;
    std::vector<std::uint32_t> target(vms.size(), static_cast<std::uint32_t>(hosts));
    for (std::size_t vm = 0; vm < vms.size(); ++vm)
      if (const auto found = host_of.find(vms[vm]);
          set.counts[vm] && found != host_of.end() && found->second < hosts)
        target[vm] = found->second;
    std::vector<float> vm_sums(vms.size(), 0.0F);
    std::size_t at = 0;
    for (std::size_t path = 0; path < grid_.paths; ++path) {
      for (std::size_t step = 0; step < grid_.steps; ++step, ++at) {
        const float* demand = row(set, path, step);
        std::ranges::fill(row_sums, 0.0F);
        for (std::size_t vm = 0; vm < vms.size(); ++vm) {
          const float wanted = clean(demand[vm]);
          vm_sums[vm] += wanted;
          row_sums[target[vm]] += wanted;
        }
        for (std::size_t host = 0; host < hosts; ++host) out[host][at] += row_sums[host];
      }
    }
    for (std::size_t vm = 0; vm < vms.size(); ++vm)
      if (set.counts[vm])
        means.insert_or_assign(vms[vm],
                               vm_sums[vm] / static_cast<double>(std::max<std::size_t>(at, 1)));
  }
  return out;
}

}  // namespace virtseer::decide
