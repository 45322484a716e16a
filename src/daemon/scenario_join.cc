#include "daemon/scenario_join.h"

#include <algorithm>
#include <unordered_map>

namespace virtseer::daemon {
namespace {

std::int64_t ms(Timestamp time) {
  return time.time_since_epoch().count();
}

bool wellFormed(const Scenarios& set) {
  return set.step.count() > 0 && set.steps > 0 && set.paths > 0 && !set.vms.empty() &&
         set.demand.size() == set.steps * set.paths * set.vms.size();
}

/// Cells [first, last) of a set that fall into one step of the grid; none: they are equal.
struct Window {
  std::size_t first = 0, last = 0;
};

/// For each step of `grid`, which cells of `shorter` begin in it or hold it. A step that is covered
/// by less than half has none.
std::vector<Window> windows(const Scenarios& grid, const Scenarios& shorter) {
  std::vector<Window> out(grid.steps);
  const auto cell = shorter.step.count();
  const auto begin = ms(shorter.start);
  const auto end = begin + cell * static_cast<std::int64_t>(shorter.steps);
  for (std::size_t step = 0; step < grid.steps; ++step) {
    const auto from = ms(grid.start) + grid.step.count() * static_cast<std::int64_t>(step);
    const auto to = from + grid.step.count();
    const auto covered_from = std::max(from, begin), covered_to = std::min(to, end);
    if (2 * (covered_to - covered_from) < grid.step.count()) continue;
    out[step].first = static_cast<std::size_t>((covered_from - begin) / cell);
    out[step].last = static_cast<std::size_t>((covered_to - begin + cell - 1) / cell);
  }
  return out;
}

/// One VM's column of a set.
struct ColumnOf {
  const Scenarios& set;
  std::size_t vm;

  float mean(std::size_t path, Window window) const {
    float sum = 0;
    for (auto cell = window.first; cell < window.last; ++cell)
      sum += set.at(path % set.paths, cell, vm);
    return sum / static_cast<float>(window.last - window.first);
  }
  float highest() const {
    float out = 0;
    for (std::size_t row = 0; row < set.paths * set.steps; ++row)
      out = std::max(out, set.demand[row * set.vms.size() + vm]);
    return out;
  }
};

/// Puts the column of a shorter horizon over the first steps of column `vm` of `joined`, and moves
/// what follows to where it ends.
void overlay(Scenarios& joined, std::size_t vm, const ColumnOf& shorter,
             const std::vector<Window>& windows) {
  const auto value = [&](std::size_t path, std::size_t step) -> float& {
    return joined.demand[(path * joined.steps + step) * joined.vms.size() + vm];
  };
  const float upper = std::max(shorter.highest(), ColumnOf{joined, vm}.highest());
  float moved = 0;
  std::size_t beyond = joined.steps;
  for (std::size_t step = 0; step < joined.steps; ++step) {
    if (windows[step].first == windows[step].last) continue;
    beyond = step + 1;
    moved = 0;
    for (std::size_t path = 0; path < joined.paths; ++path) {
      const float better = shorter.mean(path, windows[step]);
      moved += better - value(path, step);
      value(path, step) = better;
    }
  }
  moved /= static_cast<float>(joined.paths);
  for (std::size_t path = 0; path < joined.paths; ++path)
    for (auto step = beyond; step < joined.steps; ++step)
      value(path, step) = std::clamp(value(path, step) + moved, 0.0F, upper);
}

/// Adds a VM that only the shorter set knows: it stays where that ends.
void append(Scenarios& joined, const ColumnOf& shorter, const std::vector<Window>& windows) {
  const std::size_t old = joined.vms.size();
  joined.vms.push_back(shorter.set.vms[shorter.vm]);
  std::vector<float> demand;
  demand.reserve(joined.paths * joined.steps * (old + 1));
  for (std::size_t path = 0; path < joined.paths; ++path) {
    float last = shorter.set.at(path % shorter.set.paths, 0, shorter.vm);
    for (std::size_t step = 0; step < joined.steps; ++step) {
      const auto row =
          joined.demand.begin() + static_cast<std::ptrdiff_t>((path * joined.steps + step) * old);
      demand.insert(demand.end(), row, row + static_cast<std::ptrdiff_t>(old));
      if (windows[step].first < windows[step].last) last = shorter.mean(path, windows[step]);
      demand.push_back(last);
    }
  }
  joined.demand = std::move(demand);
}

}  // namespace

std::vector<Millis> planHorizons(std::vector<Millis> horizons, Millis act_within) {
  std::ranges::sort(horizons);
  const auto covers = std::ranges::lower_bound(horizons, act_within);
  if (covers != horizons.end()) horizons.erase(covers + 1, horizons.end());
  return horizons;
}

Scenarios joinHorizons(std::span<const Scenarios> sets) {
  Scenarios out;
  for (auto set = sets.rbegin(); set != sets.rend(); ++set) {
    if (!wellFormed(*set)) continue;
    if (out.vms.empty()) {
      out = *set;
      continue;
    }
    const auto cells = windows(out, *set);
    std::unordered_map<Uuid, std::size_t> columns;
    for (std::size_t vm = 0; vm < out.vms.size(); ++vm) columns.try_emplace(out.vms[vm], vm);
    for (std::size_t vm = 0; vm < set->vms.size(); ++vm) {
      const auto known = columns.find(set->vms[vm]);
      if (known != columns.end())
        overlay(out, known->second, {*set, vm}, cells);
      else
        append(out, {*set, vm}, cells);
    }
  }
  return out;
}

void addFlat(Scenarios& scenarios, const Uuid& uuid, double demand) {
  const std::size_t old = scenarios.vms.size();
  const std::size_t rows = scenarios.steps * scenarios.paths;
  std::vector<float> out;
  out.reserve(rows * (old + 1));
  for (std::size_t row = 0; row < rows; ++row) {
    const auto from = scenarios.demand.begin() + static_cast<std::ptrdiff_t>(row * old);
    out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(old));
    out.push_back(static_cast<float>(demand));
  }
  scenarios.vms.push_back(uuid);
  scenarios.demand = std::move(out);
}

Scenarios thinned(const Scenarios& scenarios, std::size_t most_values) {
  const auto path = std::max<std::size_t>(1, scenarios.steps * scenarios.vms.size());
  const auto paths = std::min(scenarios.paths, std::max<std::size_t>(1, most_values / path));
  if (paths >= scenarios.paths) return scenarios;
  Scenarios out{scenarios.start, scenarios.step, scenarios.steps, paths, scenarios.vms, {}};
  out.demand.assign(scenarios.demand.begin(),
                    scenarios.demand.begin() + static_cast<std::ptrdiff_t>(paths * path));
  return out;
}

}  // namespace virtseer::daemon
