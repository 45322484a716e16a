#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "model/scenarios.h"
#include "predict/smoother.h"

namespace virtseer::predict {

/// One VM as scenarios() needs it.
struct Rhythm {
  Uuid vm;
  Smoother now;  ///< fitted up to the first step of the scenarios
  /// Past errors of the one-step forecast, oldest first; the last one belongs to the step before
  /// the first step of the scenarios, for every VM alike. NaN is missing.
  std::vector<float> errors;
  double upper = std::numeric_limits<double>::infinity();  ///< demand cannot exceed this
};

/// How many paths, how long, from when.
struct ScenarioShape {
  Timestamp start;
  Millis step{1000};
  std::size_t steps = 60;
  std::size_t paths = 200;
  std::uint64_t seed = 1;  ///< the same seed and input give the same paths on every machine
};

/// Sample paths around each VM's own forecast, by a block bootstrap with common offsets.
///
/// For each path, blocks of past steps are drawn, the same for every VM, and each VM's recursion is
/// run forward from its present state with the errors that it made in those steps. So what rose
/// together rises together, what took turns takes turns, and paths spread with the distance as the
/// recursion says. A block is as long as the path where a quarter of the common history allows,
/// else a quarter of the history. Where a VM lacks an error (it is younger than the block, or had
/// a gap) one of its own others is drawn; a VM without any error keeps to its point forecast.
/// (Künsch 1989, "The jackknife and the bootstrap for general stationary observations"; Hyndman et
/// al. 2008, "Forecasting with Exponential Smoothing", 6.1 for paths of the recursion.)
/// Empty if there is no VM, step or path.
Scenarios scenarios(const std::vector<Rhythm>& vms, const ScenarioShape& shape);

}  // namespace virtseer::predict
