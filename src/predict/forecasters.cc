#include "predict/forecasters.h"

#include <algorithm>
#include <cmath>

namespace virtseer::predict {
namespace {

constexpr double kLongWeight = 0.6;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// A mean that forgets.
struct Faded {
  double sum = 0, weight = 0;
  void add(double value, double keep) {
    sum = sum * keep + value;
    weight = weight * keep + 1;
  }
  std::optional<double> mean() const {
    return weight > 0 ? std::optional(sum / weight) : std::nullopt;
  }
};

/// out[i]: the maximum of values[i - width + 1 .. i], missing ones aside; NaN if all are.
/// (van Herk / Gil-Werman: two passes whatever the width.)
std::vector<double> slidingMaximum(std::span<const float> values, std::size_t width) {
  const std::size_t n = values.size();
  std::vector<double> before(n), after(n), out(n);
  for (std::size_t i = 0; i < n; ++i)
    before[i] = i % width == 0 ? values[i] : std::fmax(before[i - 1], values[i]);
  for (std::size_t i = n; i-- > 0;)
    after[i] = i + 1 == n || (i + 1) % width == 0 ? values[i] : std::fmax(after[i + 1], values[i]);
  for (std::size_t i = 0; i < n; ++i)
    out[i] = i + 1 < width ? before[i] : std::fmax(before[i], after[i + 1 - width]);
  return out;
}

/// Means over windows, by prefix sums; NaN where over a quarter is missing.
class WindowMeans {
 public:
  explicit WindowMeans(std::span<const float> values) : sums_(values.size() + 1) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool known = !std::isnan(values[i]);
      sums_[i + 1] = {sums_[i].sum + (known ? values[i] : 0.0), sums_[i].known + (known ? 1 : 0)};
    }
  }
  double operator()(std::size_t from, std::size_t to) const {
    const std::size_t known = sums_[to].known - sums_[from].known;
    if (known == 0 || 4 * known < 3 * (to - from)) return kNone;
    return (sums_[to].sum - sums_[from].sum) / static_cast<double>(known);
  }

 private:
  struct Prefix {
    double sum = 0;
    std::size_t known = 0;
  };
  std::vector<Prefix> sums_;
};

/// (1/k) * sum over j = 1..k of (phi + ... + phi^j): the mean of a damped path of k steps.
double meanOfPath(double phi, double k) {
  if (1 - phi < 1e-9) return (k + 1) / 2;
  return phi / (1 - phi) * (1 - phi * (1 - std::pow(phi, k)) / (k * (1 - phi)));
}

double endOfPath(double phi, double k) {
  return 1 - phi < 1e-9 ? k : phi * (1 - std::pow(phi, k)) / (1 - phi);
}

/// A sixth of the horizon weighs more: it is what a beginning ramp shows first.
double errorOf(const Candidate& candidate) {
  const double brief = candidate.short_error.value_or(0);
  return kLongWeight * candidate.level_error.value_or(brief) + brief;
}

}  // namespace

/// Where in the past a forecast is tried, oldest first, and what then happened.
struct Forecasters::Origins {
  std::vector<std::size_t> at;       ///< index of the last cell known at the origin
  std::vector<double> level, brief;  ///< NaN: not known (yet)
  std::vector<double> peak;
};

struct Forecasters::Run {
  const Recursion* recursion = nullptr;
  Smoother state;
  Candidate candidate;
  std::vector<double> tops;  ///< highest point of the path at each origin
};

Forecasters::Forecasters(std::size_t cells_per_horizon)
    : horizon_(std::max<std::size_t>(cells_per_horizon, 1)),
      brief_(std::max<std::size_t>(horizon_ / 6, 1)),
      stride_(std::max<std::size_t>(horizon_ / 60, 1)) {
  const double origins_per_horizon = static_cast<double>(horizon_) / static_cast<double>(stride_);
  keep_long_ = std::exp(-1 / (6 * origins_per_horizon));
  keep_short_ = std::exp(-3 / origins_per_horizon);
  for (const double memory : {1.0, 0.25, 4.0, 16.0, 1.0 / 12})
    add(Forecaster::smoothing, memory, 0, 0);
  for (const double memory : {0.25, 1.0 / 12})
    for (const double trend : {0.5, 0.125, 2.0})
      for (const double damping : {8.0, 1.0}) add(Forecaster::damped_trend, memory, trend, damping);
  add(Forecaster::last_value, 0, 0, 0);
}

void Forecasters::add(Forecaster family, double level_memory, double trend_memory,
                      double damping_memory) {
  const auto h = static_cast<double>(horizon_);
  const auto gain = [&](double memory) { return memory > 0 ? 1 - std::exp(-1 / (memory * h)) : 1; };
  Recursion out{family, {}, 0, 0, 0};
  out.start.gain = gain(level_memory);
  if (trend_memory > 0) {
    out.start.trend_gain = out.start.gain * gain(trend_memory);
    out.start.damping = std::exp(-1 / (damping_memory * h));
    out.whole = meanOfPath(out.start.damping, h);
    out.brief = meanOfPath(out.start.damping, static_cast<double>(brief_));
    out.last = endOfPath(out.start.damping, h);
  }
  recursions_.push_back(out);
}

Forecasters::Origins Forecasters::origins(const Past& past) const {
  const std::size_t n = past.mean.size();
  const WindowMeans means(past.mean);
  const auto peaks = slidingMaximum(past.peak, horizon_);
  Origins out;
  // What is tried in the first of it tells how recursions find their level, and how a guest boots.
  const std::size_t first = std::min(horizon_ / 2, n / 3);
  for (std::size_t at = (n - 1) % stride_; at + brief_ < n; at += stride_) {
    if (at < first) continue;
    if (std::isnan(past.mean[at])) continue;
    out.at.push_back(at);
    out.brief.push_back(means(at + 1, at + 1 + brief_));
    const bool passed = at + horizon_ < n;
    out.level.push_back(passed ? means(at + 1, at + 1 + horizon_) : kNone);
    out.peak.push_back(passed && !std::isnan(out.level.back()) ? peaks[at + horizon_] : kNone);
  }
  return out;
}

Forecasters::Run Forecasters::run(const Recursion& recursion, const Past& past,
                                  const Origins& origins) const {
  Run out{&recursion, recursion.start, {}, {}};
  out.tops.reserve(origins.at.size());
  const auto within = [&](double value) { return std::clamp(value, 0.0, past.upper); };
  Smoother& state = out.state;
  Faded whole, brief;
  std::size_t next = 0;
  bool begun = false;
  for (std::size_t i = 0; i < past.mean.size(); ++i) {
    const float value = past.mean[i];
    if (std::isnan(value)) {
      if (begun) state.skip();
    } else if (begun) {
      state.take(value);
    } else {
      state.level = value;
      begun = true;
    }
    if (next == origins.at.size() || origins.at[next] != i) continue;
    if (const double truth = origins.level[next]; !std::isnan(truth))
      whole.add(std::abs(truth - within(state.level + recursion.whole * state.trend)), keep_long_);
    if (const double truth = origins.brief[next]; !std::isnan(truth))
      brief.add(std::abs(truth - within(state.level + recursion.brief * state.trend)), keep_short_);
    out.tops.push_back(within(std::max(state.next(), state.level + recursion.last * state.trend)));
    ++next;
  }
  out.candidate.level = within(state.level + recursion.whole * state.trend);
  out.candidate.level_error = whole.mean();
  out.candidate.short_error = brief.mean();
  return out;
}

void Forecasters::addPeak(Run& run, const Past& past, const Origins& origins,
                          Candidate& out) const {
  const auto within = [&](double value) { return std::clamp(value, 0.0, past.upper); };
  // What was learned at an origin is known a horizon later only: `seen` follows that far behind.
  Faded excess, error;
  std::size_t seen = 0, cell = 0;
  double high = 0;
  const auto foresee = [&](std::size_t now, double top) {
    for (; seen < origins.at.size() && origins.at[seen] + horizon_ <= now; ++seen)
      if (!std::isnan(origins.peak[seen]))
        excess.add(origins.peak[seen] - run.tops[seen], keep_long_);
    for (; cell <= now; ++cell) high = std::fmax(high, past.peak[cell]);
    return within(top + std::max(0.0, excess.mean().value_or(high - top)));
  };
  for (std::size_t i = 0; i < origins.at.size(); ++i) {
    const double foreseen = foresee(origins.at[i], run.tops[i]);
    if (!std::isnan(origins.peak[i])) error.add(std::abs(origins.peak[i] - foreseen), keep_long_);
  }
  const double top =
      within(std::max(run.state.next(), run.state.level + run.recursion->last * run.state.trend));
  out = run.candidate;
  out.peak = foresee(past.mean.size() - 1, top);
  out.peak_error = error.mean();
  run.tops.push_back(top);
}

Candidate Forecasters::recentMaximum(const Past& past, const Origins& origins) const {
  const auto means = slidingMaximum(past.mean, 4 * horizon_);
  const auto peaks = slidingMaximum(past.peak, 4 * horizon_);
  Faded level, peak, brief;
  for (std::size_t i = 0; i < origins.at.size(); ++i) {
    const std::size_t at = origins.at[i];
    if (!std::isnan(origins.brief[i]))
      brief.add(std::abs(origins.brief[i] - means[at]), keep_short_);
    if (std::isnan(origins.peak[i])) continue;
    level.add(std::abs(origins.level[i] - means[at]), keep_long_);
    peak.add(std::abs(origins.peak[i] - peaks[at]), keep_long_);
  }
  const auto within = [&](double value) { return std::clamp(value, 0.0, past.upper); };
  const auto last = [](const std::vector<double>& values) {
    return std::isnan(values.back()) ? 0.0 : values.back();
  };
  return {within(last(means)), within(last(peaks)), level.mean(), peak.mean(), brief.mean()};
}

PointForecast Forecasters::operator()(const Past& past) const {
  PointForecast out;
  for (const float value : past.mean) out.known += std::isnan(value) ? 0 : 1;
  if (out.known == 0) return out;

  const Origins tried = origins(past);
  std::array<std::optional<Run>, kForecasters> best;
  for (const auto& recursion : recursions_) {
    Run one = run(recursion, past, tried);
    auto& leader = best[static_cast<std::size_t>(recursion.family)];
    if (!leader || errorOf(one.candidate) < errorOf(leader->candidate)) leader = std::move(one);
  }
  // Smoothing comes first: what is no better must not bring a trend.
  std::size_t level_by = static_cast<std::size_t>(Forecaster::smoothing);
  for (const auto family : {Forecaster::damped_trend, Forecaster::last_value}) {
    const auto i = static_cast<std::size_t>(family);
    if (errorOf(best[i]->candidate) < errorOf(best[level_by]->candidate)) level_by = i;
  }
  for (std::size_t i = 0; i < kForecasters; ++i)
    if (best[i]) addPeak(*best[i], past, tried, out.candidates[i]);
  const auto maximum = static_cast<std::size_t>(Forecaster::recent_maximum);
  out.candidates[maximum] = recentMaximum(past, tried);

  std::size_t peak_by = level_by;
  for (std::size_t i = 0; i < kForecasters; ++i)
    if (out.candidates[i].peak_error.value_or(0) < out.candidates[peak_by].peak_error.value_or(0))
      peak_by = i;
  const Candidate& level = out.candidates[level_by];
  const Candidate& peak = out.candidates[peak_by];
  out.fitted = best[level_by]->state;
  out.level = level.level;
  out.level_by = static_cast<Forecaster>(level_by);
  out.peak = peak.peak;
  out.peak_by = static_cast<Forecaster>(peak_by);
  if (const double top = best[level_by]->tops.back(); top > out.peak) {
    out.peak = top;
    out.peak_by = out.level_by;
  }
  const double brief = level.short_error.value_or(0);
  out.level_spread = level.level_error.value_or(brief) + brief;
  out.peak_spread = peak.peak_error.value_or(brief) + brief;
  return out;
}

}  // namespace virtseer::predict
