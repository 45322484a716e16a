#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "model/forecast.h"
#include "predict/smoother.h"

namespace virtseer::predict {

/// The recent past of one series on a regular grid, oldest first; NaN is missing.
struct Past {
  std::span<const float> mean;                             ///< mean demand per cell
  std::span<const float> peak;                             ///< maximum demand per cell, same length
  double upper = std::numeric_limits<double>::infinity();  ///< demand cannot exceed this
};

/// What one forecaster says, and how wrong it was in the past it was shown (faded mean of absolute
/// errors; absent without an origin whose horizon has passed).
struct Candidate {
  double level = 0;
  double peak = 0;
  std::optional<double> level_error;
  std::optional<double> peak_error;
  std::optional<double> short_error;  ///< of the level over a sixth of the horizon
};

struct PointForecast {
  double level = 0;
  double peak = 0;
  Forecaster level_by = Forecaster::last_value;
  Forecaster peak_by = Forecaster::last_value;
  double level_spread = 0;  ///< typical error, the unit of a conformal residual; not negative
  double peak_spread = 0;
  std::size_t known = 0;  ///< cells that were not missing
  Smoother fitted;        ///< the best recursion, after the last cell: the centre of scenarios
  std::array<Candidate, kForecasters> candidates;  ///< in the order of Forecaster
};

/// The simple forecasters, for a horizon of so many cells. Immutable; one call is a few tens of
/// passes over the past.
///
/// All time constants are given in horizons, so that the grid of cells does not matter:
/// - smoothing: simple exponential smoothing, memory 1/12, 1/4, 1, 4 or 16 horizons;
/// - damped trend: level memory 1/12 or 1/4, trend memory 1/8, 1/2 or 2, damped over 1 or 8;
/// - last value: smoothing without memory;
/// - recent maximum: the maximum of the last four horizons ("max of 4 h" for the next hour).
/// The level of a recursion is the mean of its path over the horizon, its peak the highest point of
/// the path plus the faded mean of what the true peak exceeded it by. Everything stays within
/// [0, upper].
///
/// Within a family, and for the level between families, what was best lately wins: each recursion
/// is run through the whole past, and at origins a sixtieth of a horizon apart the mean absolute
/// error of the level over the horizon (faded over six horizons, weight 0.6) and over a sixth of it
/// (faded over a third of one) are added; what lies in the first half of a horizon is not tried.
/// The short one notices a beginning ramp long before the horizon has passed, the long one keeps
/// noise from being taken for a trend. The peak is that of the family whose peaks were best, yet
/// never below the highest point of the path chosen for the level. Spread: the error of what was
/// chosen over the horizon plus its short error, so a change of behaviour widens the band at once.
class Forecasters {
 public:
  explicit Forecasters(std::size_t cells_per_horizon);

  /// Finite for any input, also an empty one (all zero).
  PointForecast operator()(const Past& past) const;

  std::size_t horizon() const { return horizon_; }

 private:
  struct Recursion {
    Forecaster family;
    Smoother start;
    double whole, brief;  ///< mean over horizon, sixth of it, per unit of trend
    double last;          ///< end of the path, per unit of trend
  };
  struct Origins;
  struct Run;
  void add(Forecaster family, double level_memory, double trend_memory, double damping_memory);
  Origins origins(const Past& past) const;
  Run run(const Recursion& recursion, const Past& past, const Origins& origins) const;
  void addPeak(Run& run, const Past& past, const Origins& origins, Candidate& out) const;
  Candidate recentMaximum(const Past& past, const Origins& origins) const;

  std::size_t horizon_, brief_, stride_;
  double keep_long_, keep_short_;  ///< fading per origin
  std::vector<Recursion> recursions_;
};

}  // namespace virtseer::predict
