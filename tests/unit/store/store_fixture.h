#pragma once

#include <bit>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "store/store.h"

/// What the tests of the store share: a directory of their own, ids, rows, and writing without a
/// pool.
namespace virtseer::store::test {

/// A directory that is removed at the end.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "virtseer-store-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Timestamp at(std::int64_t ms) {
  return Timestamp(Millis(1'700'000'000'000 + ms));
}

inline StreamId streamOf(std::uint8_t entity, Source source = Source::guest) {
  StreamId id;
  id.entity.bytes[0] = 0xAB;
  id.entity.bytes[15] = entity;
  id.source = source;
  return id;
}

inline SeriesName gauge(std::string metric, Labels labels = {}) {
  return {std::move(metric), std::move(labels), Kind::gauge};
}

inline std::vector<SeriesName> gauges(std::size_t count) {
  std::vector<SeriesName> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(gauge("metric_" + std::to_string(i)));
  return names;
}

inline Row row(std::int64_t ms, std::vector<Column> columns, std::vector<double> values) {
  return {at(ms), std::move(columns), std::move(values)};
}

/// Takes, writes and settles commits until there is nothing to write, or one fails; without `sync`
/// one alone, since what is not synced makes another.
inline Result<void> writeOut(SeriesStore& series, bool sync = true,
                             Timestamp close_idle = Timestamp(Millis(INT64_MIN))) {
  while (auto commit = series.takeCommit(close_idle)) {
    const auto outcome = commit->write(sync);
    series.settle(std::move(commit), outcome);
    if (!outcome || !sync) return outcome;
  }
  return {};
}

inline std::vector<std::vector<Point>> readAll(const SeriesStore& series, StreamId id,
                                               const std::vector<Column>& columns,
                                               Timestamp from = at(-1'000'000'000),
                                               Timestamp to = at(1'000'000'000'000)) {
  auto read = series.view(id, from, to)->read(columns);
  REQUIRE(read);
  return read->columns;
}

inline bool sameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

inline bool samePoints(const std::vector<Point>& a, const std::vector<Point>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Point& x, const Point& y) {
    return x.time == y.time && sameBits(x.value, y.value);
  });
}

inline std::unique_ptr<Store> openOrFail(const std::filesystem::path& directory,
                                         std::uint32_t rows_per_chunk = 120,
                                         Timestamp now = at(0)) {
  StoreOptions options;
  options.directory = directory;
  options.rows_per_chunk = rows_per_chunk;
  auto store = openStore(options, now);
  if (!store) FAIL(store.error().message);
  return std::move(*store);
}

}  // namespace virtseer::store::test
