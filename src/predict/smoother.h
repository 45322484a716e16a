#pragma once

#include <cmath>

namespace virtseer::predict {

/// One state of exponential smoothing with a damped additive trend, in error-correction form:
/// forecast = level + damping * trend; level = forecast + gain * error; trend = damping * trend +
/// trend_gain * error. A trend_gain of 0 is simple exponential smoothing; a gain of 1 then is the
/// last value. (Gardner & McKenzie 1985, "Forecasting trends in time series"; Hyndman et al. 2008,
/// "Forecasting with Exponential Smoothing", ETS(A,Ad,N).) Stable for gain in [0, 1], trend_gain in
/// [0, gain] and damping in [0, 1].
struct Smoother {
  double gain = 1;
  double trend_gain = 0;
  double damping = 1;
  double level = 0;
  double trend = 0;

  /// What the next step is expected to be.
  double next() const { return level + damping * trend; }

  /// Takes the value of the next step; returns the error next() made.
  double take(double value) {
    const double expected = next();
    const double error = value - expected;
    level = expected + gain * error;
    trend = damping * trend + trend_gain * error;
    return error;
  }

  /// The next step is missing: the state goes on as it expected.
  void skip() {
    level = next();
    trend *= damping;
  }
};

}  // namespace virtseer::predict
