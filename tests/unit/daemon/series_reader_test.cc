#include "daemon/series_reader.h"

#include <catch2/catch.hpp>

#include "store/store.h"

using namespace virtseer;

namespace {

const StreamId kStream{*Uuid::parse("11111111-2222-4333-8444-000000000001"), Source::guest};
const Timestamp kStart{Millis(1'800'000'000'000)};

std::unique_ptr<store::Store> filled() {
  auto store = store::memoryStore(1000);
  std::vector<SeriesName> names;
  for (const char* device : {"vda", "vdb"})
    names.push_back({"guest_disk_read_bytes_total", {{"device", device}}, Kind::counter});
  names.push_back({"guest_load1", {}, Kind::gauge});
  const auto columns = store->series().declare(kStream, names);
  for (int i = 0; i < 100; ++i)
    store->series().append(kStream,
                           {kStart + Millis(1000 * i), *columns, {10.0 * i, 20.0 * i, 1.0}});
  return store;
}

api::SeriesQuery wanted(std::string metric, Labels labels = {}) {
  api::SeriesQuery query;
  query.metric = std::move(metric);
  query.labels = std::move(labels);
  return query;
}

api::SeriesAnswer ask(store::Store& store, api::SeriesQuery query) {
  query.from = query.from == Timestamp{} ? kStart : query.from;
  query.to = kStart + Millis(100'000);
  const auto parts = daemon::prepare(store.series(), std::array{kStream}, query);
  return daemon::answer(parts, query).value();
}

}  // namespace

TEST_CASE("a metric gives all its series, a label chooses one") {
  const auto store = filled();
  CHECK(ask(*store, wanted("guest_disk_read_bytes_total")).series.size() == 2);
  const auto one = ask(*store, wanted("guest_disk_read_bytes_total", {{"device", "vdb"}}));
  REQUIRE(one.series.size() == 1);
  CHECK(one.series[0].points.size() == 100);
  CHECK(one.series[0].points.back().value == 20.0 * 99);
  CHECK(ask(*store, wanted("guest_disk_read")).series.empty());
  auto outside = wanted("guest_load1");
  outside.source = Source::libvirt;
  CHECK(ask(*store, outside).series.empty());
}

TEST_CASE("a rate knows what was before the window") {
  const auto store = filled();
  auto query = wanted("guest_disk_read_bytes_total", {{"device", "vda"}});
  query.from = kStart + Millis(50'000);
  query.step = Millis(10'000);
  query.aggregation = Aggregation::rate;
  const auto out = ask(*store, query);
  REQUIRE(out.series.at(0).points.size() == 5);
  for (const auto& point : out.series[0].points) CHECK(point.value == Approx(10));
}

TEST_CASE("an answer stops at its limit and says so") {
  const auto store = filled();
  auto query = wanted("guest_disk_read_bytes_total");
  query.limit = 150;
  const auto out = ask(*store, query);
  CHECK(out.truncated);
  REQUIRE(out.series.size() == 2);
  CHECK(out.series[0].points.size() == 100);
  CHECK(out.series[1].points.size() == 50);
}

TEST_CASE("a window of days is folded as if it were read at once") {
  const auto store = store::memoryStore(100'000);
  const auto columns = store->series().declare(
      kStream, std::array{SeriesName{"guest_ticks_total", {}, Kind::counter}});
  std::vector<Point> all;
  for (int i = 0; i < 5000; ++i) {
    const Timestamp time = kStart + Millis(60'000 * i + 7 * (i % 11));
    const double value = i < 3000 ? 10.0 * i : 3.0 * (i - 3000);  // a reset on the way
    store->series().append(kStream, {time, *columns, {value}});
    all.push_back({time, value});
  }
  for (const auto aggregation : {Aggregation::none, Aggregation::rate, Aggregation::increase,
                                 Aggregation::mean, Aggregation::p95, Aggregation::count}) {
    for (const Millis step : {Millis(0), Millis(7 * 60'000 + 13), Millis(9 * 3'600'000)}) {
      auto query = wanted("guest_ticks_total");
      query.from = kStart + Millis(3'600'000);
      query.to = kStart + Millis(70LL * 3'600'000);
      query.step = step;
      query.aggregation = aggregation;
      const auto parts = daemon::prepare(store->series(), std::array{kStream}, query);
      CHECK(parts.at(0).slices.size() > 5);
      const auto got = daemon::answer(parts, query).value().series.at(0).points;
      const auto wanted_points = aggregate(all, query.from, query.to, step, aggregation);
      INFO(name(aggregation) << " by " << step.count() << " ms");
      REQUIRE(got.size() == wanted_points.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        REQUIRE(got[i].time == wanted_points[i].time);
        REQUIRE(got[i].value == Approx(wanted_points[i].value));
      }
    }
  }
}
