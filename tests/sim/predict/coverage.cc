#include <catch2/catch.hpp>
#include <cmath>

#include "tests/sim/predict/replay.h"

using namespace virtseer;
using namespace virtseer::predict;
using test::Random;
using test::Replay;

namespace {

constexpr Millis kQuarter{900'000};
constexpr Millis kHour{3'600'000};

struct Coverage {
  std::size_t scored = 0;
  double level = 0, peak = 0;  ///< share of truths at or below p95
};

/// The share of p95 that held, over the forecasts made after `from`.
Coverage coverage(const Replay& replay, Timestamp from) {
  Coverage out;
  for (const auto& outcome : replay.outcomes) {
    if (outcome.forecast.made < from) continue;
    ++out.scored;
    out.level += exceeds(outcome.level, outcome.forecast.level.quantiles.p95) ? 0 : 1;
    out.peak += exceeds(outcome.peak, outcome.forecast.peak.quantiles.p95) ? 0 : 1;
  }
  out.level /= static_cast<double>(out.scored);
  out.peak /= static_cast<double>(out.scored);
  return out;
}

/// Runs `warm` steps to learn, then `steps` that count.
Coverage replayed(Replay& replay, std::size_t warm, std::size_t steps,
                  const std::function<double(std::size_t)>& demand, std::size_t vms) {
  replay.run(warm, demand, vms);
  const auto from = replay.now;
  replay.run(steps, demand, vms);
  return coverage(replay, from);
}

void keepsItsWord(const Coverage& seen) {
  INFO("level " << seen.level << ", peak " << seen.peak << " of " << seen.scored);
  CHECK(seen.scored >= 2000);
  CHECK(seen.level > 0.93);
  CHECK(seen.level < 0.97);
  CHECK(seen.peak > 0.93);
  CHECK(seen.peak < 0.97);
}

}  // namespace

TEST_CASE("p95 keeps its word on demand that wanders around a mean") {
  Random random(11);
  Replay replay(Millis(15'000), {kQuarter});
  std::vector<double> state(3, 0.0);
  keepsItsWord(replayed(
      replay, 1800, 12'000,
      [&](std::size_t v) {
        state[v] = 0.95 * state[v] + 0.1 * random.normal();
        return 2 + static_cast<double>(v) + state[v];
      },
      3));
}

TEST_CASE("p95 keeps its word on ramps that come and go") {
  Random random(12);
  Replay replay(Millis(15'000), {kQuarter});
  struct Ramp {
    double at = 1, slope = 0;
    int left = 0;
  };
  std::vector<Ramp> ramps(3);
  keepsItsWord(replayed(
      replay, 3600, 12'000,
      [&](std::size_t v) {
        Ramp& ramp = ramps[v];
        if (ramp.left-- == 0) {
          // Now flat for a while, now on the way to another height.
          ramp.left = 60 + static_cast<int>(180 * random.uniform());
          const double to = 0.5 + 3 * random.uniform();
          ramp.slope = random.uniform() < 0.4 ? 0 : (to - ramp.at) / (ramp.left + 1);
        }
        ramp.at += ramp.slope;
        return ramp.at + 0.05 * random.normal();
      },
      3));
}

TEST_CASE("p95 keeps its word on demand with a daily rhythm") {
  Random random(13);
  Replay replay(Millis(60'000), {kHour});
  double time = 0, state = 0;
  keepsItsWord(replayed(
      replay, 2 * 1440, 9 * 1440,
      [&](std::size_t v) {
        if (v == 0) time += 1;
        state = 0.9 * state + 0.05 * random.normal();
        return 2 + std::sin(2 * M_PI * time / 1440 + static_cast<double>(v)) + state;
      },
      2));
}

TEST_CASE("p95 keeps its word on bursts") {
  Random random(14);
  Replay replay(Millis(15'000), {kQuarter});
  std::vector<bool> on(3);
  keepsItsWord(replayed(
      replay, 1800, 12'000,
      [&](std::size_t v) {
        if (random.uniform() < (on[v] ? 0.1 : 0.02)) on[v] = !on[v];
        return (on[v] ? 3.0 : 0.3) + 0.1 * std::abs(random.normal());
      },
      3));
}
