#include "decide/contention.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace virtseer::decide {
namespace {

// Sums of floats are off by less than this, so demand that just fits is not taken for excess.
constexpr double kTolerance = 1e-3;

/// Per step: paths in excess, excess and demand added over all paths. Adding by step and not into
/// one number lets the compiler work on several steps at once and keeps floats exact enough.
struct Steps {
  explicit Steps(std::size_t steps) : over(steps), excess(steps), demand(steps) {}
  std::vector<float> over;
  std::vector<float> excess;
  std::vector<float> demand;
};

template <class At>
Steps fold(const Grid& grid, float capacity, At at) {
  Steps out(grid.steps);
  float* over = out.over.data();
  float* excess = out.excess.data();
  float* demand = out.demand.data();
  for (std::size_t path = 0; path < grid.paths; ++path) {
    const std::size_t row = path * grid.steps;
    for (std::size_t step = 0; step < grid.steps; ++step) {
      const float wanted = at(row + step);
      const float beyond = wanted - capacity;
      over[step] += beyond > 0 ? 1.0F : 0.0F;
      excess[step] += beyond > 0 ? beyond : 0.0F;
      demand[step] += wanted;
    }
  }
  return out;
}

}  // namespace

std::vector<double> contentionBySteps(std::span<const float> sum, const Grid& grid,
                                      double capacity) {
  const auto steps = fold(grid, static_cast<float>(capacity + kTolerance),
                          [&](std::size_t row) { return sum[row]; });
  std::vector<double> out;
  out.reserve(grid.steps);
  for (const float over : steps.over) out.push_back(over / static_cast<double>(grid.paths));
  return out;
}

Contention assess(std::span<const float> sum, Change change, const Grid& grid, double capacity,
                  double threshold, Timestamp now) {
  const float* base = sum.data();
  const float* other = change.demand.data();
  const float sign = change.sign;
  const auto limit = static_cast<float>(capacity + kTolerance);
  const auto steps =
      change.demand.empty()
          ? fold(grid, limit, [=](std::size_t row) { return base[row]; })
          : fold(grid, limit, [=](std::size_t row) { return base[row] + sign * other[row]; });
  Contention out;
  const auto paths = static_cast<double>(grid.paths);
  for (std::size_t step = 0; step < grid.steps; ++step) {
    const double probability = steps.over[step] / paths;
    out.probability = std::max(out.probability, probability);
    out.shortage_cpus += steps.excess[step];
    out.mean_cpus += steps.demand[step];
    if (out.until || probability < threshold || probability == 0) continue;
    const auto starts = grid.start + grid.step * static_cast<std::int64_t>(step);
    out.until = std::max(Millis(0), starts - now);
    out.probability_then = probability;
    out.already = step == 0;
  }
  out.shortage_cpus /= static_cast<double>(grid.rows());
  out.mean_cpus = std::max(0.0, out.mean_cpus / static_cast<double>(grid.rows()));
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
