#include "decide/contention.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace virtseer::decide {
namespace {

// Sums of floats are off by less than this, so demand that just fits is not taken for excess.
constexpr double kTolerance = 1e-3;

/// Per step, added over all paths: those in excess, those in excess for long, excess and demand.
/// Adding by step and not into one number lets the compiler work on several steps at once and keeps
/// floats exact enough.
struct Steps {
  explicit Steps(std::size_t steps) : over(steps), lasting(steps), excess(steps), demand(steps) {}
  std::vector<float> over;
  std::vector<float> lasting;
  std::vector<float> excess;
  std::vector<float> demand;
};

/// What each step and the `lasting - 1` after it have at least. Each turn doubles the steps that
/// are looked at; the last `lasting - 1` steps, which have not so many behind them, are left
/// undefined.
void leastOf(std::vector<float>& path, std::size_t lasting) {
  const std::size_t steps = path.size();
  float* at = path.data();
  for (std::size_t reach = 1; reach < std::min(lasting, steps);) {
    const std::size_t further = std::min(reach, lasting - reach);
    for (std::size_t step = 0; step + further < steps; ++step)
      at[step] = std::min(at[step], at[step + further]);
    reach += further;
  }
}

template <class At>
Steps fold(const Grid& grid, float capacity, std::size_t lasting, At at) {
  Steps out(grid.steps);
  std::vector<float> beyond(grid.steps);
  float* over = out.over.data();
  float* long_over = out.lasting.data();
  float* excess = out.excess.data();
  float* demand = out.demand.data();
  for (std::size_t path = 0; path < grid.paths; ++path) {
    const std::size_t row = path * grid.steps;
    for (std::size_t step = 0; step < grid.steps; ++step) {
      const float wanted = at(row + step);
      beyond[step] = wanted - capacity;
      over[step] += beyond[step] > 0 ? 1.0F : 0.0F;
      excess[step] += beyond[step] > 0 ? beyond[step] : 0.0F;
      demand[step] += wanted;
    }
    leastOf(beyond, lasting);
    for (std::size_t step = 0; step < grid.steps; ++step)
      long_over[step] += beyond[step] > 0 ? 1.0F : 0.0F;
  }
  return out;
}

/// The first step from `first` to before `end` on which `over` of `paths` paths are a share of
/// `enough`.
std::optional<std::size_t> reached(const std::vector<float>& over, double paths, double enough,
                                   std::size_t first, std::size_t end) {
  for (std::size_t step = first; step < end; ++step)
    if (over[step] > 0 && over[step] / paths >= enough) return step;
  return std::nullopt;
}

}  // namespace

Contention assess(std::span<const float> sum, Change change, const Grid& grid, const Limit& limit,
                  Timestamp now) {
  const float* base = sum.data();
  const float* other = change.demand.data();
  const float sign = change.sign;
  const auto capacity = static_cast<float>(limit.capacity + kTolerance);
  const auto steps =
      change.demand.empty()
          ? fold(grid, capacity, limit.lasting, [=](std::size_t row) { return base[row]; })
          : fold(grid, capacity, limit.lasting,
                 [=](std::size_t row) { return base[row] + sign * other[row]; });
  Contention out;
  const auto paths = static_cast<double>(grid.paths);
  for (std::size_t step = 0; step < grid.steps; ++step) {
    out.probability = std::max(out.probability, steps.over[step] / paths);
    out.shortage_cpus += steps.excess[step];
    out.mean_cpus += steps.demand[step];
  }
  out.shortage_cpus /= static_cast<double>(grid.rows());
  out.mean_cpus = std::max(0.0, out.mean_cpus / static_cast<double>(grid.rows()));

  // What is foreseen at all is foreseen by its first step; when it begins, by the first that lasts.
  if (const auto first = reached(steps.over, paths, limit.threshold, 0, grid.steps)) {
    const auto whole = grid.steps - std::min(grid.steps, limit.lasting - 1);
    const auto begins =
        reached(steps.lasting, paths, limit.threshold, *first, whole).value_or(*first);
    const auto starts = grid.start + grid.step * static_cast<std::int64_t>(begins);
    out.until = std::max(Millis(0), starts - now);
    out.probability_then = steps.over[begins] / paths;
    out.already = begins == 0;
  }
  return out;
}

std::vector<double> shortageShares(std::span<const float> sum, std::span<const Demand> demands,
                                   double capacity) {
  std::vector<double> out(demands.size(), 0.0);
  Demand weight(sum.size());
  double total = 0;
  for (std::size_t row = 0; row < sum.size(); ++row) {
    const double excess = sum[row] - (capacity + kTolerance);
    weight[row] = excess > 0 ? static_cast<float>(excess / sum[row]) : 0.0F;
    total += std::max(0.0, excess);
  }
  if (total <= 0) return out;
  for (std::size_t vm = 0; vm < demands.size(); ++vm) {
    for (std::size_t row = 0; row < std::min(sum.size(), demands[vm].size()); ++row)
      out[vm] += static_cast<double>(weight[row]) * demands[vm][row];
    out[vm] /= total;
  }
  return out;
}

}  // namespace virtseer::decide
