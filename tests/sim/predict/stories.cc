#include <catch2/catch.hpp>
#include <cmath>

#include "tests/sim/predict/replay.h"

using namespace virtseer;
using namespace virtseer::predict;
using test::Random;
using test::Replay;

namespace {

constexpr Millis kSecond{1000};
constexpr Millis kMinute{60'000};

double width(const Outlook& outlook) {
  return outlook.quantiles.p95 - outlook.quantiles.p50;
}

}  // namespace

TEST_CASE("a ramp is foreseen with its band") {
  // Given a VM at half a core for ten minutes
  Random random(21);
  Replay replay(kSecond, {kMinute, 4 * kMinute});
  replay.run(600, [&](std::size_t) { return 0.5 + 0.03 * random.normal(); });
  const auto quiet = replay.forecast(4 * kMinute);
  CHECK(quiet.peak.quantiles.p95 < 0.8);

  // When it begins to want a core more every three minutes
  double demand = 0.5;
  replay.run(120, [&](std::size_t) {
    demand += 1.0 / 180;
    return demand + 0.03 * random.normal();
  });

  // Then after two minutes what comes is within the band, though it lies far above now
  const auto rising = replay.forecast(4 * kMinute);
  const double in_four_minutes = demand + 240.0 / 180;
  INFO("now " << demand << ", then " << in_four_minutes << ", point " << rising.peak.point
              << ", p95 " << rising.peak.quantiles.p95);
  CHECK(rising.level.by == Forecaster::damped_trend);
  CHECK(rising.peak.point > demand + 0.6 * (in_four_minutes - demand));
  CHECK(rising.peak.quantiles.p95 > in_four_minutes);
  CHECK(rising.peak.quantiles.p50 < in_four_minutes * 1.2);
}

TEST_CASE("a constant VM has a narrow band") {
  Replay replay(kSecond, {kMinute});
  replay.run(1200, [](std::size_t) { return 1.5; });
  const auto out = replay.forecast(kMinute);
  CHECK(out.level.quantiles.p50 == Approx(1.5).margin(0.01));
  CHECK(width(out.peak) < 0.02);
  CHECK(out.peak.calibration == Calibration::own);
  const auto record = replay.predictor.record(Replay::vm(0), Resource::cpu, kMinute);
  CHECK(record->peak.coverage(2) == Approx(1.0));
}

TEST_CASE("a step change widens the band, which then recovers") {
  Random random(22);
  Replay replay(kSecond, {kMinute});
  double base = 1;
  const auto demand = [&](std::size_t) { return base + 0.05 * random.normal(); };
  replay.run(1200, demand);
  const double before = width(replay.forecast(kMinute).peak);
  base = 3;
  replay.run(15, demand);
  const double after = width(replay.forecast(kMinute).peak);
  replay.run(1800, demand);
  const auto settled = replay.forecast(kMinute);
  INFO("before " << before << ", after " << after << ", settled " << width(settled.peak));
  CHECK(after > 3 * before);
  CHECK(width(settled.peak) < 2.5 * before);
  CHECK(settled.level.quantiles.p50 == Approx(3).margin(0.1));
}

TEST_CASE("hours of silence leave nothing that would mislead") {
  Random random(23);
  Replay replay(kSecond, {kMinute});
  const auto demand = [&](std::size_t) { return 1 + 0.05 * random.normal(); };
  replay.run(600, demand);
  const auto before = replay.predictor.record(Replay::vm(0), Resource::cpu, kMinute);
  replay.now += std::chrono::hours(5);
  replay.run(100, demand);
  const auto out = replay.forecast(kMinute);
  CHECK(out.level.quantiles.p50 == Approx(1).margin(0.1));
  const auto after = replay.predictor.record(Replay::vm(0), Resource::cpu, kMinute);
  CHECK(after->unscored > before->unscored);
  for (const auto& outcome : replay.outcomes) CHECK(outcome.level == Approx(1).margin(0.2));
}
