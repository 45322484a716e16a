#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <random>

#include "unit/store/store_fixture.h"

/// A real file system without room, where the test may mount one.
namespace virtseer::store {
namespace {

using namespace test;
namespace fs = std::filesystem;

/// A file system in memory of a few megabytes; gone at the end.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    fs::create_directories(path);
    mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=12m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  void grow() const {
    REQUIRE(mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0);
  }

 private:
  fs::path path_;
  bool mounted_ = false;
};

TEST_CASE("full disk: a file system without room costs no row that was taken, and no restart") {
  const ScratchDirectory scratch;
  const SmallDisk disk(scratch.path() / "disk");
  if (!disk.mounted()) {
    WARN("mounting needs root: the limit on file sizes stands in for it in the other tests");
    return;
  }
  const fs::path directory = scratch.path() / "disk" / "store";
  constexpr std::size_t kWidth = 200;
  std::mt19937_64 random(21);
  std::vector<double> first_column;
  std::uint64_t failures = 0;
  {
    StoreOptions options;
    options.directory = directory;
    options.max_unwritten_bytes = 2u << 20;
    options.cache_bytes = 1u << 20;
    auto opened = openStore(options, at(0));
    REQUIRE(opened);
    auto& series = (*opened)->series();
    REQUIRE(series.declare(streamOf(1), gauges(kWidth)));
    Row next{{}, {}, {}};
    for (Column c = 0; c < kWidth; ++c) next.columns.push_back(c);
    std::int64_t time = 0;
    const auto step = [&] {
      next.values.clear();
      for (std::size_t c = 0; c < kWidth; ++c) {
        next.values.push_back(static_cast<double>(random() >> 4) / 3);
      }
      next.time = at(++time * 1000);
      if (series.append(streamOf(1), next) == Appended::taken)
        first_column.push_back(next.values[0]);
    };
    for (int i = 0; i < 20'000 && failures < 60; ++i) {
      step();
      if (i % 10 == 0 && !writeOut(series, i % 50 == 0)) ++failures;
    }
    REQUIRE(failures == 60);
    disk.grow();
    Result<void> outcome = writeOut(series);
    INFO((outcome ? "" : outcome.error().message));
    REQUIRE(outcome);
    for (int i = 0; i < 500; ++i) step();
    REQUIRE(writeOut(series));
    CHECK(readAll(series, streamOf(1), {0})[0].size() == first_column.size());
  }
  const auto store = openOrFail(directory);
  CHECK(store->series().counts().damaged == 0);
  const auto read = readAll(store->series(), streamOf(1), {0});
  REQUIRE(read[0].size() == first_column.size());
  for (std::size_t i = 0; i < first_column.size(); ++i) {
    REQUIRE(sameBits(read[0][i].value, first_column[i]));
  }
}

}  // namespace
}  // namespace virtseer::store
