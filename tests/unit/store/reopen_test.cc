#include <fcntl.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>

#include "store/journal.h"
#include "unit/store/store_fixture.h"

/// What lasts from one opening to the next.
namespace virtseer::store {
namespace {

using namespace test;
namespace fs = std::filesystem;

constexpr std::int64_t kTick = 5000;

void appendRows(SeriesStore& series, StreamId id, int first, int last) {
  REQUIRE(series.declare(id, gauges(3)));
  for (int i = first; i < last; ++i) {
    REQUIRE(series.append(id, row(i * kTick, {0, 1}, {1.0 * i, i * 0.01})) == Appended::taken);
  }
}

void checkRows(const SeriesStore& series, StreamId id, int count) {
  const auto read = readAll(series, id, {0, 1});
  REQUIRE(read[0].size() == static_cast<std::size_t>(count));
  REQUIRE(read[1].size() == static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const auto place = static_cast<std::size_t>(i);
    REQUIRE(read[0][place].time == at(i * kTick));
    REQUIRE(read[0][place].value == i);
    REQUIRE(sameBits(read[1][place].value, i * 0.01));
  }
}

TEST_CASE(
    "store: rows, names, last values and settings are there after opening again, without gap or "
    "double") {
  const ScratchDirectory scratch;
  constexpr int kRows = 9;
  for (int session = 0; session < 6; ++session) {
    const auto store = openOrFail(scratch.path(), 7, at(session * kRows * kTick));
    CHECK(store->remarks().empty());
    auto& series = store->series();
    for (const std::uint8_t entity : {1, 2}) {
      const StreamId id = streamOf(entity);
      if (session > 0) {
        checkRows(series, id, session * kRows);
        REQUIRE(series.names(id).size() == 3);
        CHECK(series.names(id)[2] == gauge("metric_2"));
        CHECK(series.lastTime(id) == at((session * kRows - 1) * kTick));
        const auto latest = series.latest(id);
        REQUIRE(latest.size() == 2);
        CHECK(latest[0].value == session * kRows - 1);
        const std::vector<Column> columns{0};
        const auto wanted = std::min(12, session * kRows);
        CHECK(series.recent(id, columns, at((session * kRows - 12) * kTick))[0].size() ==
              static_cast<std::size_t>(wanted));
        CHECK(store->settings().get("session") == std::to_string(session - 1));
      }
      appendRows(series, id, session * kRows, (session + 1) * kRows);
    }
    REQUIRE(writeOut(series, session % 2 == 0));
    store->settings().put("session", std::to_string(session));
    REQUIRE(store->settings().writer()());
  }
}

TEST_CASE("store: what was never committed is gone, what was is not") {
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path());
    appendRows(store->series(), streamOf(1), 0, 10);
    REQUIRE(writeOut(store->series(), false));
    appendRows(store->series(), streamOf(1), 10, 15);
  }
  checkRows(openOrFail(scratch.path())->series(), streamOf(1), 10);
}

TEST_CASE("store: what was written without a sync makes a commit until it is synced") {
  const ScratchDirectory scratch;
  const auto store = openOrFail(scratch.path());
  appendRows(store->series(), streamOf(1), 0, 3);
  REQUIRE(writeOut(store->series(), false));
  auto commit = store->series().takeCommit(at(-1));
  REQUIRE(commit);
  const auto outcome = commit->write(true);
  store->series().settle(std::move(commit), outcome);
  CHECK(outcome);
  CHECK(store->series().takeCommit(at(-1)) == nullptr);
}

TEST_CASE("store: the journal shrinks once its rows are in chunks") {
  const ScratchDirectory scratch;
  std::uint64_t before = 0;
  for (int session = 0; session < 4; ++session) {
    const auto store = openOrFail(scratch.path());
    appendRows(store->series(), streamOf(1), session * 50, session * 50 + 50);
    REQUIRE(writeOut(store->series()));
    before = std::max(before, store->series().counts().journal_bytes);
  }
  CHECK(listSegments(scratch.path() / "journal")->size() >= 2);
  const auto store = openOrFail(scratch.path());
  REQUIRE(writeOut(store->series(), true, at(1'000'000'000)));
  CHECK(store->series().counts().open_rows == 0);
  appendRows(store->series(), streamOf(1), 200, 201);
  REQUIRE(writeOut(store->series()));
  CHECK(listSegments(scratch.path() / "journal")->size() == 1);
  CHECK(store->series().counts().journal_bytes < before);
  checkRows(store->series(), streamOf(1), 201);
  CHECK(store->measureDisk() > 0);
  CHECK(store->series().counts().disk_bytes > 0);
}

TEST_CASE("store: a column that fell silent chunks ago still has its last value") {
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path(), 5);
    appendRows(store->series(), streamOf(1), 0, 4);
    store->series().append(streamOf(1), row(4 * kTick, {2}, {77}));
    appendRows(store->series(), streamOf(1), 5, 15);
    REQUIRE(writeOut(store->series()));
  }
  const auto latest = openOrFail(scratch.path(), 5)->series().latest(streamOf(1));
  REQUIRE(latest.size() == 3);
  CHECK(latest[2].value == 77);
  CHECK(latest[2].time == at(4 * kTick));
}

TEST_CASE("store: the ids of events go on rising after opening again") {
  const ScratchDirectory scratch;
  std::uint64_t last = 0;
  for (int session = 0; session < 3; ++session) {
    const auto store = openOrFail(scratch.path());
    auto& log = store->events();
    for (int i = 0; i < 5; ++i) {
      const auto id = log.append({.id = 0,
                                  .time = at(session),
                                  .severity = Severity::info,
                                  .kind = "e",
                                  .entity = std::nullopt,
                                  .message = "m",
                                  .fields = {}});
      CHECK(id > last);
      last = id;
    }
    REQUIRE(log.writer()());
    // Never written: its number is not given to another one.
    last = log.append({});
    const auto found = log.finder({.limit = 1000})();
    REQUIRE(found);
    CHECK(found->events.size() == static_cast<std::size_t>(session) * 5 + 6);
  }
}

TEST_CASE("store: a stream is packed once its last row is old, and again when it goes on") {
  const ScratchDirectory scratch;
  const auto store = openOrFail(scratch.path());
  auto& series = store->series();
  const StreamId seldom = streamOf(1), often = streamOf(2);
  appendRows(series, seldom, 0, 1);
  appendRows(series, often, 0, 1);
  REQUIRE(writeOut(series, true, at(0)));
  CHECK(series.counts().open_rows == 2);
  appendRows(series, often, 1, 2);
  REQUIRE(writeOut(series, true, at(1)));
  CHECK(series.counts().open_rows == 2);  // both of the other
  appendRows(series, seldom, 2, 3);
  REQUIRE(writeOut(series, true, at(kTick)));
  CHECK(series.counts().open_rows == 3);
  REQUIRE(writeOut(series, true, at(kTick + 1)));
  CHECK(series.counts().open_rows == 1);
  REQUIRE(writeOut(series, true, at(2 * kTick + 1)));
  CHECK(series.counts().open_rows == 0);
}

TEST_CASE("store: rows of a start long ago are packed when the journal has many segments") {
  const ScratchDirectory scratch;
  constexpr int kStarts = 40;  // each makes a segment
  for (int start = 0; start < kStarts; ++start) {
    const auto store = openOrFail(scratch.path());
    if (start == 0) appendRows(store->series(), streamOf(1), 0, 1);
    appendRows(store->series(), streamOf(2), start, start + 1);
    REQUIRE(writeOut(store->series()));
  }
  const auto store = openOrFail(scratch.path());
  CHECK(listSegments(scratch.path() / "journal")->size() <= 34);
  checkRows(store->series(), streamOf(1), 1);
  checkRows(store->series(), streamOf(2), kStarts);
}

TEST_CASE("store: no program that is started gets a file of the store") {
  const ScratchDirectory scratch;
  const auto store = openOrFail(scratch.path());
  appendRows(store->series(), streamOf(1), 0, 10);
  REQUIRE(writeOut(store->series()));
  int files = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto file = fs::read_symlink(entry.path(), gone).string();
    if (gone || !file.starts_with(scratch.path().string())) continue;
    ++files;
    INFO(file);
    CHECK((::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(files >= 3);  // lock, journal, database
}

TEST_CASE("store: a torn end of the journal is cut off and told") {
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path());
    appendRows(store->series(), streamOf(1), 0, 10);
    REQUIRE(writeOut(store->series()));
  }
  const auto segment = listSegments(scratch.path() / "journal")->back();
  fs::resize_file(segment.path, segment.bytes - 3);
  {
    const auto store = openOrFail(scratch.path());
    REQUIRE(store->remarks().size() == 1);
    CHECK_THAT(store->remarks()[0], Catch::Contains("cut short"));
    CHECK(store->series().counts().damaged == 0);
    checkRows(store->series(), streamOf(1), 9);
  }
  CHECK(openOrFail(scratch.path())->remarks().empty());
}

TEST_CASE(
    "store: damage in the middle of the journal is counted, the rest is served, the file is kept") {
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path());
    appendRows(store->series(), streamOf(1), 0, 10);
    REQUIRE(writeOut(store->series()));
  }
  const auto segment = listSegments(scratch.path() / "journal")->back();
  {
    std::fstream file(segment.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(segment.bytes / 2));
    file.put('\x7f');
  }
  const auto store = openOrFail(scratch.path());
  CHECK(store->series().counts().damaged >= 1);
  CHECK(store->remarks().size() >= 1);
  CHECK(readAll(store->series(), streamOf(1), {0})[0].size() >= 8);
  appendRows(store->series(), streamOf(1), 10, 11);
  REQUIRE(writeOut(store->series(), true, at(1'000'000'000)));
  appendRows(store->series(), streamOf(1), 11, 12);
  REQUIRE(writeOut(store->series()));
  CHECK(fs::exists(segment.path.string() + ".damaged"));
}

}  // namespace
}  // namespace virtseer::store
