#pragma once

#include <span>
#include <vector>

#include "base/time.h"
#include "decide/demand.h"
#include "model/plan.h"

namespace virtseer::decide {

/// What is changed in a sum before it is judged: nothing, a VM that comes, or one that goes.
struct Change {
  std::span<const float> demand;  ///< by row; empty: nothing
  float sign = 1;                 ///< 1: comes, -1: goes
};

/// Per step, the share of paths on which `sum` (by row of `grid`) exceeds `capacity` cores.
std::vector<double> contentionBySteps(std::span<const float> sum, const Grid& grid,
                                      double capacity);

/// How short of `capacity` cores a host runs that is asked for `sum`, changed by `change`. `until`
/// is the first step whose probability reaches `threshold`, counted from `now`. O(rows), no copy.
Contention assess(std::span<const float> sum, Change change, const Grid& grid, double capacity,
                  double threshold, Timestamp now);

/// Which part of the shortage each VM causes: in every row that exceeds `capacity` the excess is
/// divided by demand; the parts add up to 1 unless the sum never exceeds it (then all are 0) or
/// demand comes from elsewhere. `demands` are by row, of the VMs of the host.
std::vector<double> shortageShares(std::span<const float> sum, std::span<const Demand> demands,
                                   double capacity);

}  // namespace virtseer::decide
