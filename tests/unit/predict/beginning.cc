#include "predict/beginning.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/sim/predict/random.h"

using namespace virtseer;

namespace {

constexpr std::size_t kMost = 60, kBehind = 30;

std::size_t beginning(const std::vector<float>& values) {
  return predict::beginning(values, kMost, kBehind);
}

void append(std::vector<float>& out, std::size_t cells, double value, double noise,
            test::Random& random) {
  for (std::size_t i = 0; i < cells; ++i)
    out.push_back(static_cast<float>(value + noise * random.normal()));
}

}  // namespace

TEST_CASE("what a guest wants while it boots is its beginning") {
  test::Random random(1);
  std::vector<float> values;
  append(values, 22, 1.0, 0.1, random);
  append(values, 60, 0.06, 0.01, random);
  CHECK(beginning(values) == 22);
  // Its load a good while later changes nothing about that.
  append(values, 60, 0.9, 0.01, random);
  CHECK(beginning(values) == 22);
}

TEST_CASE("a guest that waits for its work has not begun yet") {
  test::Random random(2);
  std::vector<float> values;
  append(values, 15, 1.0, 0.1, random);
  append(values, 10, 0.06, 0.01, random);
  append(values, 60, 0.6, 0.02, random);
  CHECK(beginning(values) == 25);
}

TEST_CASE("neither noise nor a ramp nor a single spike is a beginning") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    test::Random random(seed);
    std::vector<float> noise;
    append(noise, 150, 0.5, 0.1, random);
    CHECK(beginning(noise) <= 1);
    std::vector<float> ramp;
    for (int i = 0; i < 150; ++i)
      ramp.push_back(static_cast<float>(0.1 + 0.005 * i + 0.01 * random.normal()));
    CHECK(beginning(ramp) == 0);
    noise[20] = 3;
    CHECK(beginning(noise) <= 1);
  }
}

TEST_CASE("a beginning lasts no longer than it may, and needs something behind it") {
  std::vector<float> values(100, 1.0F);
  values.insert(values.end(), 100, 0.1F);
  CHECK(beginning(values) == 0);
  CHECK(beginning(std::vector<float>(30, 1.0F)) == 0);
  CHECK(beginning({}) == 0);
  // Cells that are missing say neither.
  std::vector<float> gaps(12, 1.0F);
  gaps.insert(gaps.end(), 8, std::numeric_limits<float>::quiet_NaN());
  gaps.insert(gaps.end(), 2, 1.0F);
  gaps.insert(gaps.end(), 60, 0.1F);
  CHECK(beginning(gaps) == 22);
  std::vector<float> missing(20, std::numeric_limits<float>::quiet_NaN());
  missing.insert(missing.end(), 60, 0.1F);
  CHECK(beginning(missing) == 0);
}
