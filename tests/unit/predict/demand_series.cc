#include "predict/demand_series.h"

#include <catch2/catch.hpp>
#include <limits>

#include "predict/cells.h"

using namespace virtseer;
using namespace virtseer::predict;

namespace {

Timestamp at(std::int64_t ms) {
  return Timestamp(Millis(ms));
}

/// Steps of one second from points (ms, value).
std::vector<Step> steps(std::vector<std::pair<std::int64_t, double>> points,
                        Millis max_gap = Millis(0)) {
  DemandSeries series(Millis(1000), max_gap);
  std::vector<Step> out;
  for (const auto& [ms, value] : points) series.add(at(ms), value, out);
  return out;
}

}  // namespace

TEST_CASE("demand of the processor is what was used plus what was waited for") {
  CpuDemand demand;
  CHECK_FALSE(demand.add(at(1000), 10.0, 5.0));
  const auto point = demand.add(at(3000), 11.0, 6.0);
  REQUIRE(point);
  CHECK(point->time == at(3000));
  CHECK(point->value == Approx(1.0));
}

TEST_CASE("where the host tells no delay, demand is what was used") {
  CpuDemand demand;
  demand.add(at(1000), 10.0, std::nullopt);
  CHECK(demand.add(at(2000), 10.5, 7.0)->value == Approx(0.5));
  CHECK(demand.add(at(3000), 11.0, 7.25)->value == Approx(0.75));
}

TEST_CASE("a counter that fell gives no demand, and the next reading counts from there") {
  CpuDemand demand;
  demand.add(at(1000), 100.0, 1.0);
  CHECK_FALSE(demand.add(at(2000), 0.5, 0.0));
  CHECK(demand.add(at(3000), 1.5, 0.0)->value == Approx(1.0));
  CHECK_FALSE(demand.add(at(4000), 2.5, -1.0));
  CHECK_FALSE(demand.add(at(4000), 9.0, 9.0));
  CHECK_FALSE(demand.add(at(5000), std::numeric_limits<double>::quiet_NaN(), 9.0));
}

TEST_CASE("a value holds back to the point before it") {
  const auto out = steps({{10'000, 0}, {10'500, 2}, {11'000, 4}, {13'000, 1}});
  REQUIRE(out.size() == 4);
  CHECK(out[0].index == 9);
  CHECK(out[1].index == 10);
  CHECK(out[1].value == Approx(3));
  CHECK(out[2].value == Approx(1));
  CHECK(out[3].value == Approx(1));
}

TEST_CASE("a pause longer than the gap leaves its steps out") {
  const auto out = steps({{10'000, 1}, {11'000, 1}, {60'000, 5}, {61'000, 5}}, Millis(5000));
  REQUIRE(out.size() == 4);
  CHECK(out[1].index == 10);
  CHECK(out[2].index == 59);
  CHECK(out[2].value == Approx(5));
}

TEST_CASE("a step that is covered to less than half is missing") {
  const auto out = steps({{10'700, 3},
                          {11'000, std::numeric_limits<double>::quiet_NaN()},
                          {12'000, 1},
                          {12'300, 2},
                          {30'000, 1},
                          {30'100, 1}});
  REQUIRE(out.size() == 3);
  CHECK(out[0].index == 10);
  CHECK(out[0].value == Approx(3));
  CHECK(out[1].index == 11);
  CHECK(out[2].index == 29);
}

TEST_CASE("what is no number makes a gap, what is negative counts as zero") {
  const auto inf = std::numeric_limits<double>::infinity();
  const auto out = steps({{10'000, 1}, {11'000, inf}, {12'000, -3}});
  REQUIRE(out.size() == 2);
  CHECK(out[0].index == 9);
  CHECK(out[1].index == 11);
  CHECK(out[1].value == 0);
}

TEST_CASE("late points are dropped, a clock that was set back is followed") {
  DemandSeries series(Millis(1000));
  std::vector<Step> out;
  CHECK(series.add(at(100'000), 1, out) == DemandSeries::Taken::yes);
  CHECK(series.add(at(100'000), 1, out) == DemandSeries::Taken::dropped);
  CHECK(series.add(at(-5), 1, out) == DemandSeries::Taken::dropped);
  for (int i = 1; i < 9; ++i)
    CHECK(series.add(at(50'000 + i * 1000), 1, out) == DemandSeries::Taken::dropped);
  CHECK(series.add(at(59'000), 1, out) == DemandSeries::Taken::restarted);
  CHECK(series.add(at(60'000), 1, out) == DemandSeries::Taken::yes);
  CHECK(out.back().index == 59);
  CHECK(series.dropped() == 11);
}

TEST_CASE("cells keep mean and maximum, and half a cell is missing") {
  Cells cells(4, 4);
  for (int i = 0; i < 4; ++i) cells.add({i, static_cast<float>(i)});
  CHECK(cells.end() == 1);
  cells.add({4, 9.0f});
  cells.add({8, 2.0f});
  cells.add({9, 4.0f});
  cells.add({12, 1.0f});
  CHECK(cells.end() == 3);
  const auto all = cells.window(0, 3);
  CHECK(all.known == 2);
  CHECK(all.peak == 4);
  CHECK(all.mean == Approx((1.5 + 3) / 2));
  std::vector<float> mean, peak;
  cells.copy(mean, peak);
  REQUIRE(mean.size() == 3);
  CHECK(mean[1] != mean[1]);
  CHECK(peak[2] == 4);
}

TEST_CASE("a gap longer than what is kept empties the cells") {
  Cells cells(4, 1);
  for (int i = 0; i < 9; ++i) cells.add({i, 1.0f});
  CHECK(cells.size() == 4);
  cells.add({3, 7.0f});
  CHECK(cells.end() == 9);
  cells.add({1000, 2.0f});
  CHECK(cells.size() == 1);
  CHECK(cells.end() == 1001);
}
