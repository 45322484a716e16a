#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "store/chunk.h"
#include "store/database.h"
#include "store/journal.h"
#include "store/keys.h"
#include "unit/store/store_fixture.h"

/// Disks that are full, stores that are damaged, locked or not ours.
namespace virtseer::store {
namespace {

using namespace test;
namespace fs = std::filesystem;

/// While it lives no file of this process can grow beyond `bytes`: writing fails with EFBIG.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ignored_ = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    set(bytes);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, ignored_);
  }
  void set(rlim_t bytes) const {
    rlimit now = before_;
    now.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &now) == 0);
  }

 private:
  rlimit before_{};
  void (*ignored_)(int);
};

std::size_t fileCount(const fs::path& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator{}));
}

TEST_CASE("full disk: rows are kept, then overflow is counted, and writing resumes by itself") {
  const ScratchDirectory scratch;
  StoreOptions options;
  options.directory = scratch.path();
  options.rows_per_chunk = 10;
  options.max_unwritten_bytes = 40'000;
  int kept = 0;
  {
    auto opened = openStore(options, at(0));
    REQUIRE(opened);
    auto& series = (*opened)->series();
    REQUIRE(series.declare(streamOf(1), gauges(40)));
    Row next{{}, {}, {}};
    for (Column c = 0; c < 40; ++c) next.columns.push_back(c), next.values.push_back(0);
    const auto append = [&](int i) {
      next.time = at(i * 1000);
      for (auto& value : next.values) value = i;
      return series.append(streamOf(1), next);
    };
    for (; kept < 25; ++kept) REQUIRE(append(kept) == Appended::taken);
    REQUIRE(writeOut(series));
    const std::size_t files = fileCount(scratch.path() / "journal");
    {
      const FileSizeLimit limit(100);
      std::uint64_t overflow = 0;
      for (int i = 0; i < 400; ++i) {
        if (append(kept) == Appended::taken)
          ++kept;
        else
          ++overflow;
        const auto outcome = writeOut(series);
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().code == Code::full);
      }
      CHECK(overflow > 0);
      CHECK(series.counts().overflow == overflow);
      CHECK(series.latest(streamOf(1))[39].value == kept);
      CHECK(readAll(series, streamOf(1), {0})[0].size() == static_cast<std::size_t>(kept));
      // A failure each second does not leave a file each second.
      CHECK(fileCount(scratch.path() / "journal") <= files + 1);
    }
    REQUIRE(writeOut(series));
    REQUIRE(append(kept) == Appended::taken);
    ++kept;
    REQUIRE(writeOut(series));
  }
  const auto store = openOrFail(scratch.path(), 10);
  CHECK(store->series().counts().damaged == 0);
  CHECK(store->remarks().empty());
  const auto read = readAll(store->series(), streamOf(1), {0});
  REQUIRE(read[0].size() == static_cast<std::size_t>(kept));
  for (int i = 0; i < kept; ++i) CHECK(read[0][static_cast<std::size_t>(i)].value == i);
}

TEST_CASE("full disk: chunks that the database does not take stay in memory until it does") {
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path(), 10);
    auto& series = store->series();
    REQUIRE(series.declare(streamOf(1), gauges(1)));
    const auto append = [&](int i) {
      REQUIRE(series.append(streamOf(1), row(i * 1000, {0}, {1.0 * i})) == Appended::taken);
    };
    // The database's log grows with every event, the journal hardly.
    for (int i = 0; i < 100; ++i) {
      append(i);
      store->events().append({.id = 0,
                              .time = at(i),
                              .severity = Severity::info,
                              .kind = "e",
                              .entity = std::nullopt,
                              .message = std::string(2000, 'm'),
                              .fields = {}});
      REQUIRE(store->events().writer()());
    }
    REQUIRE(writeOut(series));
    {
      const FileSizeLimit limit(100'000);
      for (int i = 100; i < 130; ++i) append(i);
      CHECK_FALSE(writeOut(series));
      const auto old_view = series.view(streamOf(1), at(0), at(1'000'000));
      CHECK_FALSE(writeOut(series));
      CHECK(readAll(series, streamOf(1), {0})[0].size() == 130);
    }
    REQUIRE(writeOut(series));
    CHECK(readAll(series, streamOf(1), {0})[0].size() == 130);
  }
  const auto store = openOrFail(scratch.path(), 10);
  CHECK(readAll(store->series(), streamOf(1), {0})[0].size() == 130);
}

TEST_CASE("full disk: a record that was cut short hides none that comes after it") {
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path());
    auto& series = store->series();
    REQUIRE(series.declare(streamOf(1), gauges(100)));
    Row next{{}, {}, {}};
    for (Column c = 0; c < 100; ++c) next.columns.push_back(c), next.values.push_back(0);
    for (int i = 0; i < 60; ++i) {
      next.time = at(i * 1000);
      for (auto& value : next.values) value = i;
      REQUIRE(series.append(streamOf(1), next) == Appended::taken);
      if (i % 5 != 3) {
        REQUIRE(writeOut(series));
        continue;
      }
      // Room for half of the record only.
      const auto segment = listSegments(scratch.path() / "journal")->back();
      const FileSizeLimit limit(fs::file_size(segment.path) + 300);
      REQUIRE_FALSE(writeOut(series));
    }
    REQUIRE(writeOut(series));
  }
  const auto store = openOrFail(scratch.path());
  CHECK(store->series().counts().damaged == 0);
  CHECK(readAll(store->series(), streamOf(1), {0, 99})[1].size() == 60);
}

TEST_CASE("full disk: events wait, within bounds, and say how many were lost") {
  const ScratchDirectory scratch;
  const auto store = openOrFail(scratch.path());
  auto& log = store->events();
  {
    const FileSizeLimit limit(0);
    for (int i = 0; i < 10'050; ++i) {
      log.append({.id = 0,
                  .time = at(i),
                  .severity = Severity::info,
                  .kind = "e",
                  .entity = std::nullopt,
                  .message = "m",
                  .fields = {}});
    }
    const auto outcome = log.writer()();
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == Code::full);
  }
  REQUIRE(log.writer()());
  const auto found = log.finder({.kind_prefix = "store.", .limit = 5})();
  REQUIRE(found);
  REQUIRE(found->events.size() == 1);
  CHECK(found->events.front().fields.at("count") == "50");
}

/// Changes the value of the `n`-th chunk.
void spoilChunk(const fs::path& directory, int n, std::size_t offset) {
  auto database = openDatabase(directory / "db", 1u << 20);
  REQUIRE(database);
  const auto cursor = (*database)->cursor(Family::chunks);
  cursor->seek("");
  for (int i = 0; i < n; ++i) cursor->next();
  REQUIRE(cursor->valid());
  std::string value(cursor->value());
  value[std::min(offset, value.size() - 1)] ^= 0x20;
  const Change change{Family::chunks, std::string(cursor->key()), value};
  REQUIRE((*database)->write({&change, 1}, true));
}

TEST_CASE("damage: a corrupt chunk is left out and counted, the rest is served") {
  const std::size_t offset = GENERATE(0, 9, 30, SIZE_MAX);
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path(), 10);
    REQUIRE(store->series().declare(streamOf(1), gauges(1)));
    for (int i = 0; i < 50; ++i) {
      store->series().append(streamOf(1), row(i * 1000, {0}, {i + 0.5 / (i + 1)}));
    }
    REQUIRE(writeOut(store->series()));
  }
  spoilChunk(scratch.path(), 2, offset);
  const auto store = openOrFail(scratch.path(), 10, at(3'600'000));
  const std::vector<Column> columns{0};
  const auto read = store->series().view(streamOf(1), at(0), at(1'000'000))->read(columns);
  REQUIRE(read);
  CHECK(read->damaged == 1);
  CHECK(store->series().counts().damaged == 1);
  REQUIRE(read->columns[0].size() == 40);
  CHECK(read->columns[0][19].time == at(19'000));
  CHECK(read->columns[0][20].time == at(30'000));
}

TEST_CASE("damage: a corrupt last chunk does not keep the store from opening and going on") {
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path(), 10);
    REQUIRE(store->series().declare(streamOf(1), gauges(1)));
    for (int i = 0; i < 30; ++i) store->series().append(streamOf(1), row(i * 1000, {0}, {1.0 * i}));
    REQUIRE(writeOut(store->series()));
  }
  spoilChunk(scratch.path(), 2, 9);
  fs::remove_all(scratch.path() / "journal");
  const auto store = openOrFail(scratch.path(), 10, at(31'000));
  CHECK(store->series().counts().damaged >= 1);
  REQUIRE(store->series().lastTime(streamOf(1)));
  CHECK(*store->series().lastTime(streamOf(1)) >= at(20'000));
  CHECK(store->series().latest(streamOf(1)).at(0).value == 19);
  CHECK(store->series().append(streamOf(1), row(31'000, {0}, {31})) == Appended::taken);
  REQUIRE(writeOut(store->series()));
}

TEST_CASE("damage: a store beyond opening is set aside whole, and a new one is begun") {
  const std::string broken =
      GENERATE(as<std::string>{}, "db/CURRENT", "FORMAT", "db/MANIFEST", "gone");
  const ScratchDirectory scratch;
  const fs::path directory = scratch.path() / "store";
  {
    const auto store = openOrFail(directory, 10);
    REQUIRE(store->series().declare(streamOf(1), gauges(1)));
    for (int i = 0; i < 30; ++i) store->series().append(streamOf(1), row(i * 1000, {0}, {1.0 * i}));
    REQUIRE(writeOut(store->series()));
  }
  // Opening twice turns the log of the database into a table.
  openOrFail(directory, 10);
  if (broken == "gone") {
    fs::remove(directory / "db" / "CURRENT");
  } else {
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.path().string().starts_with((directory / broken).string())) {
        std::ofstream(entry.path(), std::ios::binary) << "nonsense";
      }
    }
  }
  const std::size_t files = fileCount(directory / "db");
  const auto store = openOrFail(directory, 10);
  REQUIRE(store->remarks().size() == 1);
  CHECK_THAT(store->remarks()[0], Catch::Contains("set aside"));
  CHECK(store->series().streams().empty());
  REQUIRE(store->series().declare(streamOf(2), gauges(1)));
  REQUIRE(writeOut(store->series()));
  fs::path aside;
  for (const auto& entry : fs::directory_iterator(scratch.path())) {
    if (entry.path().filename().string().starts_with("store.set-aside-")) aside = entry.path();
  }
  REQUIRE_FALSE(aside.empty());
  CHECK(fileCount(aside / "db") >= files);
  CHECK(fileCount(aside / "journal") >= 1);
}

TEST_CASE("open: a store that another has open is refused with a sentence, and untouched") {
  const ScratchDirectory scratch;
  const auto first = openOrFail(scratch.path());
  StoreOptions options;
  options.directory = scratch.path();
  const auto second = openStore(options, at(0));
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::busy);
  CHECK_THAT(second.error().message, Catch::Contains("another process"));
}

TEST_CASE("open: without room it says so and leaves everything alone") {
  const ScratchDirectory scratch;
  {
    const auto store = openOrFail(scratch.path());
    REQUIRE(store->series().declare(streamOf(1), gauges(1)));
    REQUIRE(writeOut(store->series()));
  }
  const FileSizeLimit limit(100);
  StoreOptions options;
  options.directory = scratch.path();
  const auto store = openStore(options, at(0));
  REQUIRE_FALSE(store);
  CHECK(store.error().code == Code::full);
  CHECK_THAT(store.error().message, Catch::Contains("make room"));
  limit.set(RLIM_INFINITY);
  CHECK(openOrFail(scratch.path())->series().streams().size() == 1);
}

TEST_CASE("open: a directory where the user may not write is refused") {
  const ScratchDirectory scratch;
  const fs::path directory = scratch.path() / "store";
  openOrFail(directory);
  // Root may write anywhere: the child gives that up first.
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (getuid() == 0 && (chown(scratch.path().c_str(), 0, 0) != 0 ||
                          chmod(scratch.path().c_str(), 0755) != 0 || setuid(65534) != 0)) {
      _exit(9);
    }
    if (getuid() != 65534) chmod(directory.c_str(), 0500);
    StoreOptions options;
    options.directory = directory;
    const auto store = openStore(options, at(0));
    _exit(!store && store.error().code == Code::refused &&
                  store.error().message.find("own and write") != std::string::npos
              ? 0
              : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  chmod(directory.c_str(), 0700);
}

TEST_CASE("open: a store of another version is refused and untouched") {
  const ScratchDirectory scratch;
  openOrFail(scratch.path());
  std::ofstream(scratch.path() / "FORMAT") << "virtseer store 2\n";
  StoreOptions options;
  options.directory = scratch.path();
  const auto store = openStore(options, at(0));
  REQUIRE_FALSE(store);
  CHECK(store.error().code == Code::unsupported);
}

}  // namespace
}  // namespace virtseer::store
