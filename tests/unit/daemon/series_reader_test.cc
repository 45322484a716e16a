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
