#include <catch2/catch.hpp>
#include <cmath>

#include "unit/store/store_fixture.h"

/// What SeriesStore promises, on the store on a disk and on the one in memory.
namespace virtseer::store {
namespace {

using namespace test;

/// Either store, behind the same interface. The one on a disk closes chunks after five rows, so
/// that every story below crosses from memory to disk.
struct World {
  explicit World(bool on_disk)
      : store(on_disk ? openOrFail(scratch.path() / "store", 5) : memoryStore(100'000)) {}
  ScratchDirectory scratch;
  std::unique_ptr<Store> store;
  SeriesStore& series() const { return store->series(); }
};

constexpr std::int64_t kTick = 5000;

TEST_CASE("contract: columns are given once and stay") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  const std::vector<SeriesName> first{gauge("a"), gauge("b", {{"disk", "vda"}})};
  CHECK(series.declare(streamOf(1), first) == std::vector<Column>{0, 1});
  const std::vector<SeriesName> second{gauge("b", {{"disk", "vdb"}}), gauge("a"), gauge("c")};
  CHECK(series.declare(streamOf(1), second) == std::vector<Column>{2, 0, 3});
  CHECK(series.declare(streamOf(2), second) == std::vector<Column>{0, 1, 2});
  REQUIRE(series.names(streamOf(1)).size() == 4);
  CHECK(series.names(streamOf(1))[2] == second[0]);
  CHECK(series.names(streamOf(3)).empty());
  CHECK(series.streams() == std::vector<StreamId>{streamOf(1), streamOf(2)});
  CHECK(series.counts().series == 7);
  CHECK(series.counts().streams == 2);
}

TEST_CASE("contract: more columns than a stream may have are refused, and none of them is taken") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  REQUIRE(series.declare(streamOf(1), gauges(echo::kMaxColumns - 1)));
  const std::vector<SeriesName> two{gauge("x"), gauge("y")};
  const auto refused = series.declare(streamOf(1), two);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::full);
  CHECK(series.names(streamOf(1)).size() == echo::kMaxColumns - 1);
  CHECK(series.declare(streamOf(1), std::span(two).first(1)));
}

TEST_CASE("contract: a name without measure is refused") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  const std::vector<SeriesName> names{gauge(std::string(100'000, 'x'))};
  const auto refused = world.series().declare(streamOf(1), names);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid);
}

TEST_CASE("contract: what was appended is read back, window by window, missing values left out") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  REQUIRE(series.declare(streamOf(1), gauges(3)));
  std::vector<std::vector<Point>> wanted(3);
  for (int i = 0; i < 23; ++i) {
    Row next = row(i * kTick, {0, 2}, {i * 1.5, i / 3.0});
    if (i % 4 == 1) next.values[0] = kMissing;
    if (i >= 7) next.columns.push_back(1), next.values.push_back(-0.0);
    for (std::size_t c = 0; c < next.columns.size(); ++c) {
      if (!std::isnan(next.values[c])) {
        wanted[next.columns[c]].push_back({next.time, next.values[c]});
      }
    }
    CHECK(series.append(streamOf(1), next) == Appended::taken);
    if (i % 3 == 0) REQUIRE(writeOut(series));
  }
  for (const std::int64_t from : {0, 1, 12, 19, 22, 30}) {
    for (const std::int64_t to : {0, 5, 13, 20, 23}) {
      const auto read = readAll(series, streamOf(1), {2, 0, 1}, at(from * kTick), at(to * kTick));
      REQUIRE(read.size() == 3);
      for (std::size_t c = 0; c < 3; ++c) {
        std::vector<Point> window;
        for (const Point& point : wanted[c]) {
          if (point.time >= at(from * kTick) && point.time < at(to * kTick))
            window.push_back(point);
        }
        CHECK(samePoints(read[c == 0 ? 1 : c == 1 ? 2 : 0], window));
      }
    }
  }
  CHECK(series.counts().rows == 23);
  CHECK(series.counts().samples == wanted[0].size() + wanted[1].size() + wanted[2].size());
}

TEST_CASE("contract: a row that is not after the last one is late and changes nothing") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  REQUIRE(series.declare(streamOf(1), gauges(1)));
  CHECK(series.append(streamOf(1), row(10, {0}, {1})) == Appended::taken);
  CHECK(series.append(streamOf(1), row(10, {0}, {2})) == Appended::late);
  CHECK(series.append(streamOf(1), row(9, {0}, {3})) == Appended::late);
  REQUIRE(writeOut(series, true, at(1000)));
  CHECK(series.append(streamOf(1), row(10, {0}, {4})) == Appended::late);
  CHECK(series.append(streamOf(1), row(11, {0}, {5})) == Appended::taken);
  CHECK(series.counts().late == 3);
  CHECK(series.lastTime(streamOf(1)) == at(11));
  CHECK(samePoints(readAll(series, streamOf(1), {0})[0], {{at(10), 1}, {at(11), 5}}));
  CHECK(series.append(streamOf(1), {Timestamp(Millis(INT64_MAX)), {0}, {9}}) == Appended::late);
}

TEST_CASE("contract: the latest value of a column stays when later rows do not have it") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  CHECK(series.latest(streamOf(1)).empty());
  CHECK_FALSE(series.lastTime(streamOf(1)));
  REQUIRE(series.declare(streamOf(1), gauges(3)));
  CHECK(series.latest(streamOf(1)).empty());
  series.append(streamOf(1), row(1, {0, 2}, {10, 20}));
  series.append(streamOf(1), row(2, {0, 2}, {11, kMissing}));
  const auto latest = series.latest(streamOf(1));
  REQUIRE(latest.size() == 2);
  CHECK((latest[0].column == 0 && latest[0].value == 11 && latest[0].time == at(2)));
  CHECK((latest[1].column == 2 && latest[1].value == 20 && latest[1].time == at(1)));
}

TEST_CASE("contract: the last minute is served from memory, however many chunks it spans") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  REQUIRE(series.declare(streamOf(1), gauges(2)));
  for (int i = 0; i <= 100; ++i) {
    series.append(streamOf(1), row(i * 1000, {0}, {static_cast<double>(i)}));
    REQUIRE(writeOut(series));
  }
  const std::vector<Column> columns{1, 0};
  const auto recent = series.recent(streamOf(1), columns, at(41'000));
  REQUIRE(recent.size() == 2);
  CHECK(recent[0].empty());
  REQUIRE(recent[1].size() == 60);
  CHECK(recent[1].front().time == at(41'000));
  CHECK(recent[1].back().value == 100);
}

TEST_CASE("contract: a view stays as it was when it was made") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  REQUIRE(series.declare(streamOf(1), gauges(2)));
  for (int i = 0; i < 7; ++i) series.append(streamOf(1), row(i * kTick, {0}, {1.0 * i}));
  const auto view = series.view(streamOf(1), at(0), at(1'000'000'000));
  for (int i = 7; i < 60; ++i) {
    series.append(streamOf(1), row(i * kTick, {0, 1}, {1.0 * i, 2.0}));
    REQUIRE(writeOut(series));
  }
  const std::vector<Column> columns{0, 1};
  const auto read = view->read(columns);
  REQUIRE(read);
  CHECK(read->columns[0].size() == 7);
  CHECK(read->columns[1].empty());
  CHECK(readAll(series, streamOf(1), {0})[0].size() == 60);
}

TEST_CASE("contract: there is one commit at a time, and none when nothing came") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  CHECK(series.takeCommit(at(-1)) == nullptr);
  REQUIRE(series.declare(streamOf(1), gauges(1)));
  auto commit = series.takeCommit(at(-1));
  REQUIRE(commit);
  series.append(streamOf(1), row(1, {0}, {1}));
  CHECK(series.takeCommit(at(-1)) == nullptr);
  const auto outcome = commit->write(true);
  REQUIRE(outcome);
  series.settle(std::move(commit), outcome);
  commit = series.takeCommit(at(-1));
  REQUIRE(commit);
  const auto second = commit->write(true);
  series.settle(std::move(commit), second);
  CHECK(series.takeCommit(at(-1)) == nullptr);
}

TEST_CASE("contract: a commit that was given up comes again") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  REQUIRE(series.declare(streamOf(1), gauges(1)));
  series.append(streamOf(1), row(1, {0}, {1}));
  auto commit = series.takeCommit(at(-1));
  REQUIRE(commit);
  series.settle(std::move(commit), fail(Code::timeout, "no answer"));
  CHECK(samePoints(readAll(series, streamOf(1), {0})[0], {{at(1), 1}}));
  REQUIRE(writeOut(series));
  CHECK(samePoints(readAll(series, streamOf(1), {0})[0], {{at(1), 1}}));
}

TEST_CASE("contract: a row that names a column twice or one that was not declared does no harm") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  REQUIRE(series.declare(streamOf(1), gauges(2)));
  CHECK(series.append(streamOf(1), row(1, {0, 0, 77, 1}, {1, 2, 3})) == Appended::taken);
  CHECK(series.append(streamOf(9), row(1, {0}, {1})) == Appended::taken);
  CHECK(samePoints(readAll(series, streamOf(1), {0})[0], {{at(1), 2}}));
  CHECK(readAll(series, streamOf(1), {77})[0].empty());
  CHECK(series.counts().samples == 1);
}

TEST_CASE("contract: columns that come and go by the hundred are kept apart") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& series = world.series();
  std::vector<std::vector<Point>> wanted(500);
  for (int i = 0; i < 50; ++i) {
    const auto names = gauges(static_cast<std::size_t>(i + 1) * 10);
    const auto columns = series.declare(streamOf(1), names);
    REQUIRE(columns);
    Row next{at(i * kTick), {}, {}};
    for (std::size_t c = static_cast<std::size_t>(i) * 10; c < columns->size(); ++c) {
      next.columns.push_back(static_cast<Column>(c));
      next.values.push_back(static_cast<double>(c) + i);
      wanted[c].push_back({next.time, next.values.back()});
    }
    next.columns.push_back(0);
    next.values.push_back(i);
    if (i > 0) wanted[0].push_back({next.time, 1.0 * i});
    REQUIRE(series.append(streamOf(1), next) == Appended::taken);
    REQUIRE(writeOut(series));
  }
  std::vector<Column> all;
  for (Column c = 0; c < 500; ++c) all.push_back(c);
  const auto read = readAll(series, streamOf(1), all);
  for (Column c = 0; c < 500; ++c) {
    INFO("column " << c);
    CHECK(samePoints(read[c], wanted[c]));
  }
}

}  // namespace
}  // namespace virtseer::store
