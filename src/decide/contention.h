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

/// From when on a host is taken to run short.
struct Limit {
  double capacity = 0;      ///< cores
  double threshold = 0.5;   ///< share of paths
  std::size_t lasting = 1;  ///< steps in a row, at least 1
};

/// How short of cores a host runs that is asked for `sum` (by row of `grid`), changed by `change`.
/// The probability of a step is the share of paths on which demand exceeds the capacity. Once a
/// step reaches the threshold, `until` is given, counted from `now`: the first step from there on
/// at which the share of paths that exceed it for `lasting` steps reaches the threshold too; where
/// there is none, that step itself. O(rows log lasting), no copy.
Contention assess(std::span<const float> sum, Change change, const Grid& grid, const Limit& limit,
                  Timestamp now);

/// Which part of the shortage each VM causes: in every row that exceeds `capacity` the excess is
/// divided by demand; the parts add up to 1 unless the sum never exceeds it (then all are 0) or
/// demand comes from elsewhere. `demands` are by row, of the VMs of the host.
std::vector<double> shortageShares(std::span<const float> sum, std::span<const Demand> demands,
                                   double capacity);

}  // namespace virtseer::decide
