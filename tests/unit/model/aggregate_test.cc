#include <catch2/catch.hpp>
#include <cmath>

#include "model/event.h"
#include "model/machine.h"
#include "model/series.h"

using namespace virtseer;

namespace {

Timestamp at(std::int64_t ms) {
  return Timestamp(Millis(ms));
}

std::vector<double> values(const std::vector<Point>& points) {
  std::vector<double> out;
  for (const auto& point : points) out.push_back(point.value);
  return out;
}

const std::vector<Point> kGauge{
    {at(0), 1}, {at(1000), 3}, {at(2000), 2}, {at(5000), 10}, {at(5500), 20}};

}  // namespace

TEST_CASE("raw points are those of the half-open window") {
  const auto out = aggregate(kGauge, at(1000), at(5000), Millis(0), Aggregation::none);
  CHECK(values(out) == std::vector<double>{3, 2});
}

TEST_CASE("each step that has points gives one, stamped with its start") {
  const auto out = aggregate(kGauge, at(0), at(6000), Millis(2000), Aggregation::mean);
  CHECK(values(out) == std::vector<double>{2, 2, 15});
  CHECK(out[2].time == at(4000));
  CHECK(values(aggregate(kGauge, at(0), at(6000), Millis(0), Aggregation::max)) ==
        std::vector<double>{20});
  CHECK(values(aggregate(kGauge, at(0), at(6000), Millis(0), Aggregation::count)) ==
        std::vector<double>{5});
  CHECK(values(aggregate(kGauge, at(0), at(6000), Millis(0), Aggregation::p50)) ==
        std::vector<double>{3});
  CHECK(values(aggregate(kGauge, at(0), at(3000), Millis(0), Aggregation::last)) ==
        std::vector<double>{2});
}

TEST_CASE("a rate takes the point before the window as its base") {
  const std::vector<Point> counter{{at(0), 100}, {at(1000), 110}, {at(2000), 130}, {at(3000), 130}};
  const auto out = aggregate(counter, at(500), at(3500), Millis(1000), Aggregation::rate);
  CHECK(values(out) == std::vector<double>{10, 20, 0});
}

TEST_CASE("a counter that falls began again at zero") {
  const std::vector<Point> counter{{at(0), 100}, {at(1000), 150}, {at(2000), 30}, {at(3000), 40}};
  const auto out = aggregate(counter, at(0), at(4000), Millis(0), Aggregation::increase);
  CHECK(values(out) == std::vector<double>{50 + 30 + 10});
}

TEST_CASE("a first point alone has no rate") {
  CHECK(aggregate({{at(0), 5}}, at(0), at(1000), Millis(0), Aggregation::rate).empty());
}

TEST_CASE("an empty or turned window is empty") {
  CHECK(aggregate(kGauge, at(5), at(5), Millis(0), Aggregation::mean).empty());
  CHECK(aggregate({}, at(0), at(9), Millis(1), Aggregation::mean).empty());
}

TEST_CASE("names of enumerations can be read back") {
  for (int i = 0; i < 12; ++i) {
    const auto aggregation = static_cast<Aggregation>(i);
    CHECK(parseAggregation(name(aggregation)) == aggregation);
  }
  CHECK_FALSE(parseAggregation("median"));
  CHECK(parseSource("guest") == Source::guest);
  CHECK_FALSE(parseSource("GUEST"));
  CHECK(parseSeverity("warning") == Severity::warning);
  CHECK(parseVmState(name(VmState::gone)) == VmState::gone);
}

TEST_CASE("an unknown role is production") {
  CHECK(parseRole("lab") == Role::lab);
  CHECK(parseRole("shadow") == Role::shadow);
  CHECK(parseRole("Lab") == Role::production);
  CHECK(parseRole("") == Role::production);
}
