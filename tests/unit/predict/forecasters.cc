#include "predict/forecasters.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/sim/predict/random.h"

using namespace virtseer;
using namespace virtseer::predict;

namespace {

constexpr float kGone = std::numeric_limits<float>::quiet_NaN();
const Forecasters kSixty(60);

PointForecast foresee(const std::vector<float>& series, const Forecasters& forecasters = kSixty,
                      double upper = std::numeric_limits<double>::infinity()) {
  return forecasters({series, series, upper});
}

bool finite(const PointForecast& forecast) {
  bool all = std::isfinite(forecast.level) && std::isfinite(forecast.peak) &&
             std::isfinite(forecast.level_spread) && std::isfinite(forecast.peak_spread);
  for (const auto& one : forecast.candidates)
    all = all && std::isfinite(one.level) && std::isfinite(one.peak);
  return all && forecast.level_spread >= 0 && forecast.peak_spread >= 0;
}

}  // namespace

TEST_CASE("a constant is foreseen as itself, without a trend and without error") {
  const auto out = foresee(std::vector<float>(480, 0.7f));
  CHECK(out.level == Approx(0.7));
  CHECK(out.peak == Approx(0.7));
  CHECK(out.level_spread == Approx(0).margin(1e-6));
  CHECK(out.level_by == Forecaster::smoothing);
  CHECK(out.known == 480);
}

TEST_CASE("a ramp goes on, damped, and its peak lies at the end") {
  std::vector<float> ramp(240, 1.0f);
  for (int i = 0; i < 60; ++i) ramp.push_back(1.0f + 0.02f * static_cast<float>(i));
  const auto out = foresee(ramp);
  CHECK(out.level_by == Forecaster::damped_trend);
  CHECK(out.level > 2.4);  // now 2.2; the mean of the next hour is truly 2.8
  CHECK(out.level < 3.0);
  CHECK(out.peak > out.level);
  CHECK(out.fitted.trend == Approx(0.02).epsilon(0.3));
}

TEST_CASE("a ramp that begins is noticed before its horizon has passed") {
  test::Random random(1);
  std::vector<float> ramp;
  for (int i = 0; i < 300; ++i) ramp.push_back(static_cast<float>(1 + 0.03 * random.normal()));
  for (int i = 0; i < 30; ++i)
    ramp.push_back(static_cast<float>(1 + 0.02 * i + 0.03 * random.normal()));
  const auto out = foresee(ramp);
  CHECK(out.level_by == Forecaster::damped_trend);
  CHECK(out.peak > 2.0);  // now 1.6; in a horizon 2.8
}

TEST_CASE("what a guest did while it booted is no past to choose by") {
  std::vector<float> series;
  for (int i = 0; i < 20; ++i) series.push_back(i % 2 == 0 ? 0.0f : 1.0f);
  series.resize(90, 0.5f);
  const auto out = foresee(series);
  CHECK(out.level == Approx(0.5).margin(0.01));
  CHECK(out.level_spread < 0.01);
}

TEST_CASE("on a ramp one more cell seldom changes the mind") {
  std::size_t leaps = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    test::Random random(seed);
    std::vector<float> ramp;
    for (int i = 0; i < 75; ++i) ramp.push_back(static_cast<float>(0.6 + 0.02 * random.normal()));
    double before = 0.6;
    for (int i = 0; i < 80; ++i) {
      ramp.push_back(static_cast<float>(0.6 + 0.0045 * i + 0.02 * random.normal()));
      const double level = foresee(ramp).level;
      leaps += std::abs(level - before) > 0.08 ? 1 : 0;
      before = level;
    }
    CHECK(before > 1);  // now 0.96; the mean of the next horizon is 1.09
  }
  CHECK(leaps <= 12);
}

TEST_CASE("noise is not taken for a trend") {
  test::Random random(2);
  std::vector<float> noise;
  for (int i = 0; i < 480; ++i) noise.push_back(static_cast<float>(2 + 0.5 * random.normal()));
  const auto out = foresee(noise);
  CHECK(out.level == Approx(2).margin(0.2));
  CHECK(out.level_by == Forecaster::smoothing);
  CHECK(out.peak > 2.5);
  CHECK(out.peak < 5);
}

TEST_CASE("the recent maximum reaches back four horizons and no further") {
  const Forecasters four(12);
  std::vector<float> series(100, 1.0f);
  const auto maximum = static_cast<std::size_t>(Forecaster::recent_maximum);
  series[100 - 48] = 9;
  CHECK(foresee(series, four).candidates[maximum].peak == 9);
  series[100 - 48] = 1;
  series[100 - 49] = 9;
  CHECK(foresee(series, four).candidates[maximum].peak == 1);
}

TEST_CASE("the last value is the last one that is known") {
  std::vector<float> series(100, 1.0f);
  series[90] = 3;
  for (std::size_t i = 91; i < 100; ++i) series[i] = kGone;
  const auto last = static_cast<std::size_t>(Forecaster::last_value);
  CHECK(foresee(series).candidates[last].level == 3);
}

TEST_CASE("any past gives finite numbers") {
  CHECK(finite(foresee({})));
  CHECK(finite(foresee({kGone})));
  CHECK(finite(foresee(std::vector<float>(300, kGone))));
  CHECK(finite(foresee({5})));
  CHECK(finite(foresee({5, 7})));
  CHECK(finite(foresee({kGone, 5, kGone, kGone, 7, kGone})));
  CHECK(finite(foresee(std::vector<float>(300, 1e30f))));
  test::Random random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<float> series;
    const auto size = static_cast<int>(random.uniform() * 400);
    for (int i = 0; i < size; ++i)
      series.push_back(random.uniform() < 0.4 ? kGone : static_cast<float>(random.uniform() * 1e9));
    CHECK(finite(foresee(series)));
    CHECK(finite(foresee(series, Forecasters(1))));
    CHECK(finite(foresee(series, Forecasters(7), 1e8)));
  }
}

TEST_CASE("a few cells are foreseen as they are") {
  const auto out = foresee({2, 2, 2});
  CHECK(out.level == Approx(2));
  CHECK(out.known == 3);
}

TEST_CASE("no forecast leaves what is physically possible") {
  std::vector<float> ramp;
  for (int i = 0; i < 300; ++i) ramp.push_back(static_cast<float>(i) / 100);
  const auto up = foresee(ramp, kSixty, 3.0);
  CHECK(up.peak <= 3.0);
  CHECK(up.level > 2.9);
  std::reverse(ramp.begin(), ramp.end());
  const auto down = foresee(ramp, kSixty, 3.0);
  CHECK(down.level >= 0);
  CHECK(down.level < 0.2);
}
