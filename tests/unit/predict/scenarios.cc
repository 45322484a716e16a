#include "predict/scenarios.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace virtseer;
using namespace virtseer::predict;

namespace {

Uuid vmNumber(std::uint8_t number) {
  Uuid uuid;
  uuid.bytes[15] = number;
  return uuid;
}

/// A VM that swings by 1 around 2 with a period of 20 steps.
Rhythm swinging(std::uint8_t number, double sign) {
  Rhythm out;
  out.vm = vmNumber(number);
  out.now.gain = 0;
  out.now.level = 2;
  for (int i = 0; i < 200; ++i)
    out.errors.push_back(static_cast<float>(sign * std::sin(2 * M_PI * i / 20)));
  return out;
}

/// The highest sum over all VMs in any step of any path.
double highestSum(const Scenarios& scenarios) {
  double highest = 0;
  for (std::size_t path = 0; path < scenarios.paths; ++path)
    for (std::size_t step = 0; step < scenarios.steps; ++step) {
      double sum = 0;
      for (std::size_t vm = 0; vm < scenarios.vms.size(); ++vm) sum += scenarios.at(path, step, vm);
      highest = std::max(highest, sum);
    }
  return highest;
}

const ScenarioShape kShape{Timestamp(Millis(0)), Millis(1000), 40, 50, 7};

}  // namespace

TEST_CASE("VMs with opposite peaks fit together, VMs in step do not") {
  CHECK(highestSum(scenarios({swinging(1, 1), swinging(2, -1)}, kShape)) == Approx(4).margin(0.01));
  CHECK(highestSum(scenarios({swinging(1, 1), swinging(2, 1)}, kShape)) > 5.9);
}

TEST_CASE("the same seed gives the same paths, another gives others") {
  const std::vector<Rhythm> vms{swinging(1, 1)};
  auto other = kShape;
  other.seed = 8;
  CHECK(scenarios(vms, kShape) == scenarios(vms, kShape));
  CHECK_FALSE(scenarios(vms, kShape) == scenarios(vms, other));
}

TEST_CASE("paths surround the forecast and stay possible") {
  auto rising = swinging(1, 1);
  rising.now.trend = 0.1;
  rising.upper = 5;
  const auto out = scenarios({rising}, kShape);
  CHECK(out.demand.size() == out.paths * out.steps);
  CHECK(*std::max_element(out.demand.begin(), out.demand.end()) == 5);
  CHECK(*std::min_element(out.demand.begin(), out.demand.end()) >= 0);
  double first = 0;
  for (std::size_t path = 0; path < out.paths; ++path) first += out.at(path, 0, 0) / 50.0;
  CHECK(first == Approx(2.1).margin(0.4));
}

TEST_CASE("a VM younger than the rest draws from what it has") {
  auto young = swinging(2, 1);
  young.errors.assign(3, 0.5f);
  young.errors.push_back(std::numeric_limits<float>::quiet_NaN());
  Rhythm newborn;
  newborn.vm = vmNumber(3);
  newborn.now.level = 1;
  const auto out = scenarios({swinging(1, 1), young, newborn}, kShape);
  for (std::size_t path = 0; path < out.paths; ++path)
    for (std::size_t step = 0; step < out.steps; ++step) {
      CHECK(out.at(path, step, 1) == Approx(2.5));
      CHECK(out.at(path, step, 2) == Approx(1));
    }
}

TEST_CASE("nobody and nothing give no scenarios") {
  CHECK(scenarios({}, kShape).demand.empty());
  auto none = kShape;
  none.paths = 0;
  CHECK(scenarios({swinging(1, 1)}, none).demand.empty());
  Rhythm newborn;
  CHECK(scenarios({newborn}, kShape).demand.size() == 40 * 50);
}
