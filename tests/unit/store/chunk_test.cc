#include "store/chunk.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "unit/store/store_fixture.h"

namespace virtseer::store {
namespace {

ChunkRows sample(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  ChunkRows chunk;
  std::int64_t time = 1'700'000'000'000;
  for (std::size_t r = 0; r < rows; ++r) {
    chunk.times.push_back(time += 5000 + static_cast<std::int64_t>(random() % 9) - 4);
  }
  Column column = 0;
  for (std::size_t c = 0; c < columns; ++c) {
    chunk.columns.push_back(column += 1 + static_cast<Column>(random() % 3));
    for (std::size_t r = 0; r < rows; ++r) {
      const bool missing = c % 5 == 4 && random() % 2 == 0;
      chunk.values.push_back(missing ? kMissing : static_cast<double>(random() % 10000) / 100);
    }
  }
  return chunk;
}

TEST_CASE("chunk: every column and the times come back, in any order of asking") {
  for (const std::size_t rows : {1U, 2U, 3U, 120U, 4096U}) {
    const ChunkRows chunk = sample(rows, 30, rows);
    const std::string bytes = encodeChunk(chunk);
    auto reader = ChunkReader::open(bytes);
    REQUIRE(reader);
    CHECK(reader->times() == chunk.times);
    CHECK(reader->firstTime() == chunk.times.front());
    CHECK(reader->lastTime() == chunk.times.back());
    std::vector<double> values;
    for (std::size_t c = chunk.columns.size(); c-- > 0;) {
      REQUIRE(reader->decode(chunk.columns[c], values));
      for (std::size_t r = 0; r < rows; ++r) {
        const double wanted = chunk.values[c * rows + r];
        CHECK((std::isnan(wanted) ? std::isnan(values[r]) : test::sameBits(wanted, values[r])));
      }
    }
  }
}

TEST_CASE("chunk: a column that it does not have is all missing") {
  const ChunkRows chunk = sample(10, 3, 1);
  const std::string bytes = encodeChunk(chunk);
  auto reader = ChunkReader::open(bytes);
  REQUIRE(reader);
  CHECK_FALSE(reader->has(0));
  std::vector<double> values;
  REQUIRE(reader->decode(0, values));
  CHECK(values.size() == 10);
  CHECK(std::ranges::all_of(values, [](double v) { return std::isnan(v); }));
}

TEST_CASE("chunk: rows without any value keep their times") {
  const ChunkRows chunk{.times = {5, 6, 9}, .columns = {}, .values = {}};
  const std::string bytes = encodeChunk(chunk);
  auto reader = ChunkReader::open(bytes);
  REQUIRE(reader);
  CHECK(reader->times() == chunk.times);
  CHECK(reader->columns().empty());
}

TEST_CASE("chunk: no altered or missing byte ever gives a wrong value") {
  const ChunkRows chunk = sample(40, 20, 9);
  const std::string good = encodeChunk(chunk);
  std::vector<double> values;
  std::size_t served = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    auto reader = ChunkReader::open(bad);
    if (!reader) continue;
    CHECK(reader->times() == chunk.times);
    std::size_t damaged = 0;
    for (std::size_t c = 0; c < chunk.columns.size(); ++c) {
      if (!reader->decode(chunk.columns[c], values)) {
        ++damaged;
        continue;
      }
      ++served;
      for (std::size_t r = 0; r < 40; ++r) {
        const double wanted = chunk.values[c * 40 + r];
        REQUIRE((std::isnan(wanted) ? std::isnan(values[r]) : test::sameBits(wanted, values[r])));
      }
    }
    // Damage stays within its group of columns.
    CHECK(damaged > 0);
    CHECK(damaged <= 8);
  }
  CHECK(served > 0);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(ChunkReader::open(std::string_view(good).substr(0, size)));
  }
}

TEST_CASE("chunk: one of a later version is told from a damaged one") {
  std::string bytes = encodeChunk(sample(3, 3, 2));
  bytes[0] = 9;
  const auto reader = ChunkReader::open(bytes);
  REQUIRE_FALSE(reader);
  CHECK(reader.error().code == Code::unsupported);
}

}  // namespace
}  // namespace virtseer::store
