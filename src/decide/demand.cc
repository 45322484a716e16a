#include "decide/demand.h"

#include <algorithm>
#include <map>

namespace virtseer::decide {
namespace {

// Above any machine: keeps a nonsensical forecast from drowning sums in infinity.
constexpr float kMostCores = 1e5F;

float clean(float demand) {
  const float bounded = demand < kMostCores ? demand : kMostCores;
  return demand > 0 ? bounded : 0.0F;
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
  float* at = out.data();
  for (std::size_t path = 0; path < grid_.paths; ++path)
    for (std::size_t step = 0; step < grid_.steps; ++step)
      *at++ = clean(row(set, path, step)[found->second.column]);
  return out;
}

std::vector<Demand> DemandTable::sums(const std::unordered_map<Uuid, std::uint32_t>& host_of,
                                      std::size_t hosts,
                                      std::unordered_map<Uuid, double>& means) const {
  std::vector<Demand> out(hosts, Demand(grid_.rows(), 0.0F));
  for (const auto& set : sets_) addUp(set, host_of, out, means);
  return out;
}

void DemandTable::addUp(const Set& set, const std::unordered_map<Uuid, std::uint32_t>& host_of,
                        std::vector<Demand>& out, std::unordered_map<Uuid, double>& means) const {
  const auto& vms = set.scenarios->vms;
  std::map<std::uint32_t, std::vector<std::uint32_t>> columns_of;
  for (std::uint32_t vm = 0; vm < vms.size(); ++vm)
    if (const auto found = host_of.find(vms[vm]);
        set.counts[vm] && found != host_of.end() && found->second < out.size())
      columns_of[found->second].push_back(vm);
  struct Load {
    float* sums;
    const std::uint32_t* first;
    const std::uint32_t* last;
  };
  std::vector<Load> loads;
  for (const auto& [host, columns] : columns_of)
    loads.push_back({out[host].data(), columns.data(), columns.data() + columns.size()});
  std::vector<float> wanted_now(vms.size());
  std::vector<float> totals(vms.size(), 0.0F);
  // Two passes over a row, so that the first works on several VMs at once and the second keeps a
  // host's sum in a register. Bare pointers: this is the one loop over everything.
  float* wanted = wanted_now.data();
  float* total = totals.data();
  std::size_t at = 0;
  for (std::size_t path = 0; path < grid_.paths; ++path) {
    for (std::size_t step = 0; step < grid_.steps; ++step, ++at) {
      const float* demand = row(set, path, step);
      for (std::size_t vm = 0, end = vms.size(); vm < end; ++vm) {
        wanted[vm] = clean(demand[vm]);
        total[vm] += wanted[vm];
      }
      for (const auto& host : loads) {
        float sum = 0;
        for (const auto* column = host.first; column != host.last; ++column) sum += wanted[*column];
        host.sums[at] += sum;
      }
    }
  }
  for (std::size_t vm = 0; vm < vms.size(); ++vm)
    if (set.counts[vm])
      means.insert_or_assign(vms[vm], totals[vm] / static_cast<double>(grid_.rows()));
}

}  // namespace virtseer::decide
