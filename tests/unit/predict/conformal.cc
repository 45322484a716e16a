#include "predict/conformal.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace virtseer;
using namespace virtseer::predict;

namespace {

const std::array<std::optional<bool>, 4> kHeld{false, false, false, false};
const std::array<std::optional<bool>, 4> kMissed{true, true, true, true};

}  // namespace

TEST_CASE("the conformal quantile counts the outcome that is still to come") {
  Residuals residuals(100);
  CHECK_FALSE(residuals.quantile(0.5));
  for (int i = 19; i >= 1; --i) residuals.add(static_cast<float>(i));
  CHECK(residuals.quantile(0.95) == 19);
  CHECK(residuals.quantile(0.5) == 10);
  CHECK_FALSE(residuals.quantile(0.96));
}

TEST_CASE("only the newest residuals count, and what is no number never does") {
  Residuals residuals(3);
  for (const float value : {9.0f, 1.0f, 2.0f, std::numeric_limits<float>::quiet_NaN(), 3.0f})
    residuals.add(value);
  CHECK(residuals.size() == 3);
  CHECK(residuals.largest() == 3);
  CHECK(residuals.quantile(0.25) == 1);
}

TEST_CASE("a quantile is promised after five outcomes beyond it") {
  CHECK(outcomesNeeded(0.5) == 10);
  CHECK(outcomesNeeded(0.95) == 100);
  CHECK(outcomesNeeded(0.99) == 500);
  TargetCalibration own;
  for (int i = 0; i < 99; ++i) own.add(i, 1, kHeld);
  CHECK_FALSE(own.quantile(2));
  own.add(100, 1, kHeld);
  CHECK(own.quantile(2));
  CHECK_FALSE(own.quantile(3));
}

TEST_CASE("misses raise the level that is asked for, holds lower it") {
  TargetCalibration missed, held;
  for (int i = 0; i < 200; ++i) {
    missed.add(i, 1, i < 4 ? kMissed : kHeld);
    held.add(i, 1, kHeld);
  }
  CHECK(*missed.quantile(2) > *held.quantile(2));
  for (int i = 0; i < 50; ++i) missed.add(100, 1, kMissed);
  CHECK(*missed.quantile(2) > 199);
}

TEST_CASE("own outcomes come before pooled ones, and those before convention") {
  TargetCalibration own;
  Residuals pool(1000);
  const Band nothing = band(own, pool, true);
  CHECK(nothing.calibration == Calibration::none);
  CHECK(nothing.offset[2] == 4.0);
  CHECK_FALSE(nothing.p99);

  for (int i = 0; i < 100; ++i) pool.add(7);
  const Band pooled = band(own, pool, true);
  CHECK(pooled.calibration == Calibration::pooled);
  CHECK(pooled.outcomes == 100);
  CHECK(pooled.offset[2] == 7);
  CHECK_FALSE(pooled.p99);

  for (int i = 0; i < 100; ++i) own.add(2, 1, kHeld);
  const Band mine = band(own, pool, true);
  CHECK(mine.calibration == Calibration::own);
  CHECK(mine.offset[2] == 2);
}

TEST_CASE("own outcomes of too short a time never narrow the band of all") {
  TargetCalibration own;
  Residuals pool(1000);
  for (int i = 0; i < 100; ++i) own.add(2, 1, kHeld), pool.add(7);
  CHECK(band(own, pool, false).offset[2] == 7);
  for (int i = 0; i < 100; ++i) own.add(9, 1, kHeld);
  CHECK(band(own, pool, false).offset[2] == 9);
}

TEST_CASE("calibration survives being written, and damage is noticed") {
  TargetCalibration own;
  for (int i = 0; i < 700; ++i) own.add(i % 37, 1, i % 9 ? kHeld : kMissed);
  std::string bytes;
  ByteWriter out(bytes);
  own.write(out);
  TargetCalibration read;
  ByteReader in(bytes);
  read.read(in);
  CHECK(in.ok());
  CHECK(in.left() == 0);
  for (std::size_t i = 0; i < 4; ++i) CHECK(read.quantile(i) == own.quantile(i));
  // The oldest goes first also after reading.
  own.add(5, 1, kHeld), read.add(5, 1, kHeld);
  CHECK(read.quantile(3) == own.quantile(3));

  ByteReader torn(std::string_view(bytes).substr(0, bytes.size() - 1));
  TargetCalibration().read(torn);
  CHECK_FALSE(torn.ok());
}

TEST_CASE("a surprise is not counted twice") {
  TargetCalibration own;
  CHECK(own.furthest(2, 2) == 16);
  for (int i = 0; i < 100; ++i) own.add(i == 50 ? 30 : 0.1, 0.1, kHeld);
  // A residual of 300 spreads does not make a band of 300 once the spread has grown.
  CHECK(own.furthest(2, 2) < 31);
  CHECK(own.furthest(2, 2) > 25);
  CHECK(own.furthest(2, 20) == 80);
}
