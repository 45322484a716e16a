#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <random>

#include "store/journal.h"
#include "unit/store/store_fixture.h"

/// The program is killed at any moment, or its files are cut: nothing that was acknowledged is
/// lost, and no value is wrong.
namespace virtseer::store {
namespace {

using namespace test;
namespace fs = std::filesystem;

constexpr std::size_t kColumns = 12;
constexpr int kStreams = 5;

/// What column `column` of row `index` of a stream must be; each row depends on nothing else.
double valueOf(int stream, std::int64_t index, std::size_t column) {
  switch (column % 4) {
    case 0:
      return static_cast<double>(index * 8 + stream);
    case 1:
      return static_cast<double>(index % 50 + stream) / 100.0;
    case 2:
      return index % 3 == 0 ? kMissing : 1.0 / static_cast<double>(index + stream + 1);
    default:
      return static_cast<double>(index / 20);
  }
}

std::vector<Column> allColumns() {
  std::vector<Column> columns;
  for (Column c = 0; c < kColumns; ++c) columns.push_back(c);
  return columns;
}

Row rowOf(int stream, std::int64_t index) {
  Row next{at(index * 1000), allColumns(), {}};
  for (std::size_t c = 0; c < kColumns; ++c) next.values.push_back(valueOf(stream, index, c));
  return next;
}

/// Reads everything back and gives the number of rows of the stream that came without a gap from
/// its first; any wrong value fails.
std::int64_t checkStream(const SeriesStore& series, int stream) {
  const auto read = readAll(series, streamOf(static_cast<std::uint8_t>(stream)), allColumns());
  for (std::size_t c = 0; c < kColumns; ++c) {
    for (const Point& point : read[c]) {
      const std::int64_t index = (point.time - at(0)).count() / 1000;
      if (!sameBits(point.value, valueOf(stream, index, c))) {
        FAIL("stream " << stream << ", column " << c << ", row " << index << ": " << point.value);
      }
    }
  }
  std::int64_t rows = 0;
  while (rows < static_cast<std::int64_t>(read[0].size()) &&
         read[0][static_cast<std::size_t>(rows)].time == at(rows * 1000)) {
    ++rows;
  }
  CHECK(rows == static_cast<std::int64_t>(read[0].size()));
  return rows;
}

constexpr const char* kDirectoryVariable = "VIRTSEER_TEST_CRASH_DIRECTORY";
constexpr const char* kPipeVariable = "VIRTSEER_TEST_CRASH_PIPE";

/// Runs in a program of its own until it is killed: appends to every stream, commits, and tells the
/// pipe how many rows each stream has for certain.
[[noreturn]] void appendForEver(const fs::path& directory, int pipe) {
  StoreOptions options;
  options.directory = directory;
  options.rows_per_chunk = 10;
  auto store = openStore(options, at(0));
  if (!store) _exit(2);
  auto& series = (*store)->series();
  // A commit that the kill cut may have brought its row to some streams alone: all go on from the
  // one that has least, and rows that others have already are late for them.
  std::int64_t index = std::numeric_limits<std::int64_t>::max();
  for (int s = 0; s < kStreams; ++s) {
    const StreamId id = streamOf(static_cast<std::uint8_t>(s));
    if (!series.declare(id, gauges(kColumns))) _exit(3);
    const auto last = series.lastTime(id);
    index = std::min<std::int64_t>(index, last ? (*last - at(0)).count() / 1000 + 1 : 0);
  }
  for (;; ++index) {
    for (int s = 0; s < kStreams; ++s) {
      series.append(streamOf(static_cast<std::uint8_t>(s)), rowOf(s, index));
    }
    if (!writeOut(series, index % 16 == 0)) _exit(4);
    const std::int64_t certain = index + 1;
    if (write(pipe, &certain, sizeof certain) != sizeof certain) _exit(5);
  }
}

int rounds() {
  const char* soak = std::getenv("VIRTSEER_SOAK");
  return soak != nullptr && std::string_view(soak) == "1" ? 100 : 10;
}

TEST_CASE("crash: the program that is killed", "[.crash-child]") {
  const char* directory = std::getenv(kDirectoryVariable);
  const char* pipe = std::getenv(kPipeVariable);
  if (directory != nullptr && pipe != nullptr) appendForEver(directory, std::atoi(pipe));
  SUCCEED("nothing to do without the test that starts it");
}

/// Starts this same binary anew: the database's threads do not survive a mere fork.
pid_t startChild(const fs::path& directory, int pipe) {
  const std::string number = std::to_string(pipe);
  const pid_t child = fork();
  if (child != 0) return child;
  setenv(kDirectoryVariable, directory.c_str(), 1);
  setenv(kPipeVariable, number.c_str(), 1);
  execl("/proc/self/exe", "crash-child", "[.crash-child]", static_cast<char*>(nullptr));
  _exit(6);
}

TEST_CASE("crash: a killed program has lost nothing that it committed") {
  const ScratchDirectory scratch;
  std::mt19937_64 random(11);
  std::int64_t certain = 0;
  for (int round = 0; round < rounds(); ++round) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = startChild(scratch.path(), ends[1]);
    REQUIRE(child >= 0);
    close(ends[1]);
    // The child is killed while it works on what follows its n-th acknowledgement.
    const std::uint64_t acknowledgements = 20 + random() % 150;
    std::int64_t told = 0;
    for (std::uint64_t i = 0; i < acknowledgements; ++i) {
      if (read(ends[0], &told, sizeof told) != sizeof told) break;
      certain = told;
    }
    kill(child, SIGKILL);
    while (read(ends[0], &told, sizeof told) == sizeof told) certain = told;
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    close(ends[0]);
    INFO("round " << round << ", status " << status);
    REQUIRE(WIFSIGNALED(status));

    const auto store = openOrFail(scratch.path(), 10);
    CHECK(store->series().counts().damaged == 0);
    for (int s = 0; s < kStreams; ++s) CHECK(checkStream(store->series(), s) >= certain);
  }
  CHECK(certain > 0);
}

TEST_CASE("crash: with the journal cut anywhere the store opens and has no wrong value") {
  const ScratchDirectory scratch;
  const fs::path whole = scratch.path() / "whole";
  {
    const auto store = openOrFail(whole, 1000);
    REQUIRE(store->series().declare(streamOf(0), gauges(kColumns)));
    for (int i = 0; i < 40; ++i) {
      store->series().append(streamOf(0), rowOf(0, i));
      REQUIRE(writeOut(store->series()));
    }
  }
  const Segment segment = listSegments(whole / "journal")->back();
  std::mt19937_64 random(12);
  std::int64_t rows_before = 0;
  for (std::uint64_t size = 0; size < segment.bytes; size += 1 + random() % 300) {
    const fs::path copy = scratch.path() / "copy";
    fs::remove_all(copy);
    fs::copy(whole, copy, fs::copy_options::recursive);
    fs::resize_file(copy / "journal" / segment.path.filename(), size);
    const auto store = openOrFail(copy, 1000);
    const std::int64_t rows = checkStream(store->series(), 0);
    CHECK(rows >= rows_before);
    rows_before = rows;
    // It goes on where it stands.
    REQUIRE(store->series().declare(streamOf(0), gauges(kColumns)));
    CHECK(store->series().append(streamOf(0), rowOf(0, rows)) == Appended::taken);
    REQUIRE(writeOut(store->series()));
    CHECK(checkStream(store->series(), 0) == rows + 1);
  }
  CHECK(rows_before >= 38);
}

}  // namespace
}  // namespace virtseer::store
