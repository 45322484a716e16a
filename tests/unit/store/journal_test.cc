#include "store/journal.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <random>

#include "store/files.h"
#include "unit/store/store_fixture.h"

namespace virtseer::store {
namespace {

using test::streamOf;

constexpr std::uint32_t kMarker = 0x5EED1234;

/// A segment of several streams with changing, missing and coming columns, and what was put into
/// it.
struct Example {
  std::string bytes;
  std::vector<std::size_t> ends;  ///< of the header and of each call's records
  std::map<StreamId, std::map<std::int64_t, std::vector<double>>> rows;
};

Example example(std::uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  Example made;
  made.bytes = encodeSegmentHeader({kMarker, 7, 1000});
  made.ends.push_back(made.bytes.size());
  SegmentEncoder encoder(kMarker);
  std::map<StreamId, std::vector<double>> now;
  for (int i = 0; i < rounds; ++i) {
    const StreamId id = streamOf(static_cast<std::uint8_t>(random() % 3));
    auto& values = now[id];
    if (values.size() < 12 && random() % 4 == 0) {
      encoder.names(id, static_cast<Column>(values.size()), test::gauges(2), made.bytes);
      values.resize(values.size() + 2, kMissing);
    }
    for (auto& value : values) {
      if (random() % 3 == 0) value = static_cast<double>(random() % 100000) / 8;
      if (random() % 11 == 0) value = kMissing;
    }
    encoder.row(id, i * 5, values, made.bytes);
    made.rows[id][i * 5] = values;
    made.ends.push_back(made.bytes.size());
  }
  return made;
}

/// Reads `bytes` and checks that no value is other than it was written; gives what was read.
SegmentReading readAndCompare(std::string_view bytes, const Example& made, bool complete) {
  // A copy of the exact size, so that the sanitizer sees a read beyond the end.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  std::uint64_t wrong = 0, missing = 0;
  const SegmentListener listener{
      .names = [](const StreamId&, Column, std::vector<SeriesName>) {},
      .row =
          [&](const StreamId& id, const Row& row) {
            const auto& wanted = made.rows.at(id).at(row.time.time_since_epoch().count());
            std::size_t present = 0;
            for (const double value : wanted) present += !std::isnan(value);
            for (std::size_t i = 0; i < row.columns.size(); ++i) {
              wrong += row.columns[i] >= wanted.size() ||
                       !test::sameBits(wanted[row.columns[i]], row.values[i]);
            }
            missing += present != row.columns.size();
          }};
  const auto reading = readSegment({exact.data(), exact.size()}, listener);
  CHECK(wrong == 0);
  if (complete) CHECK(missing == 0);
  return reading;
}

TEST_CASE("journal segment: all rows come back as they were") {
  const Example made = example(1, 400);
  const auto reading = readAndCompare(made.bytes, made, true);
  CHECK(reading.header_ok);
  CHECK(reading.rows == 400);
  CHECK(reading.damaged == 0);
  CHECK_FALSE(reading.torn);
  CHECK(reading.good_bytes == made.bytes.size());
}

TEST_CASE("journal segment: only changed columns take room") {
  std::string bytes;
  SegmentEncoder encoder(kMarker);
  std::vector<double> values(100, 1.5);
  encoder.row(streamOf(1), 0, values, bytes);
  const std::size_t full = bytes.size();
  values[50] = 2;
  encoder.row(streamOf(1), 5, values, bytes);
  CHECK(full > 800);
  CHECK(bytes.size() - full < 32);
}

TEST_CASE("journal segment: cut anywhere, what stands before the cut is read, nothing is wrong") {
  const Example made = example(2, 60);
  std::size_t rows_before = 0;
  for (std::size_t size = 0; size <= made.bytes.size(); ++size) {
    const auto reading = readAndCompare(std::string_view(made.bytes).substr(0, size), made, true);
    while (rows_before + 1 < made.ends.size() && made.ends[rows_before + 1] <= size) ++rows_before;
    if (size < kSegmentHeaderBytes) {
      CHECK_FALSE(reading.header_ok);
      continue;
    }
    REQUIRE(reading.rows == rows_before);
    CHECK(reading.damaged == 0);
    CHECK(reading.torn == (reading.good_bytes < size));
  }
}

TEST_CASE("journal segment: an altered byte costs its record, never a wrong value") {
  const Example made = example(3, 60);
  std::mt19937_64 random(3);
  for (std::size_t at = kSegmentHeaderBytes; at < made.bytes.size(); ++at) {
    std::string bad = made.bytes;
    bad[at] = static_cast<char>(bad[at] ^ (1 + random() % 255));
    const auto reading = readAndCompare(bad, made, false);
    CHECK((reading.damaged > 0 || reading.torn));
    const bool first_of_stream = at < made.ends[12];
    if (!first_of_stream) CHECK(reading.rows >= 58);
  }
}

TEST_CASE("journal segment: random damage of many bytes never gives a wrong value") {
  const Example made = example(4, 200);
  std::mt19937_64 random(4);
  for (int round = 0; round < 300; ++round) {
    std::string bad = made.bytes;
    for (std::uint64_t i = random() % 20 + 1; i > 0; --i) {
      const std::size_t at = kSegmentHeaderBytes + random() % (bad.size() - kSegmentHeaderBytes);
      const std::size_t length = std::min<std::size_t>(random() % 40, bad.size() - at);
      if (random() % 3 == 0)
        bad.erase(at, length);
      else
        for (std::size_t k = 0; k < length; ++k) bad[at + k] = static_cast<char>(random());
    }
    readAndCompare(bad, made, false);
  }
}

TEST_CASE("journal segment: values that look like a record are not taken for one") {
  // The guest's values hold a whole record, but it cannot know the segment's marker.
  std::string planted;
  SegmentEncoder forger(0x11111111);
  forger.row(streamOf(9), 1, std::vector<double>{666}, planted);
  planted.resize((planted.size() + 7) / 8 * 8);
  std::vector<double> values(planted.size() / 8);
  std::memcpy(values.data(), planted.data(), planted.size());
  std::string bytes = encodeSegmentHeader({kMarker, 1, 0});
  SegmentEncoder encoder(kMarker);
  encoder.row(streamOf(1), 1, values, bytes);
  const std::size_t first = bytes.size();
  encoder.row(streamOf(1), 2, values, bytes);
  bytes[first - planted.size() - 4] ^= 1;  // damages the record around it
  const SegmentListener listener{
      .names = [](const StreamId&, Column, std::vector<SeriesName>) {},
      .row = [&](const StreamId& id, const Row&) { CHECK(id == streamOf(1)); }};
  CHECK(readSegment(bytes, listener).damaged > 0);
}

TEST_CASE("journal: each start and each full segment begins a new file; only others are removed") {
  const test::ScratchDirectory scratch;
  {
    Journal journal(scratch.path(), {}, {.segment_bytes = 200});
    for (int i = 0; i < 6; ++i) {
      const auto segment = journal.begin(0);
      REQUIRE(segment);
      const std::vector<double> values(10, i);
      journal.row(streamOf(1), i, values);
      REQUIRE(journal.flush());
      REQUIRE(journal.sync());
    }
  }
  auto segments = listSegments(scratch.path());
  REQUIRE(segments);
  CHECK(segments->size() == 3);
  Journal journal(scratch.path(), *segments, {});
  const auto current = journal.begin(0);
  REQUIRE(current);
  CHECK(*current == segments->back().number + 1);
  REQUIRE(journal.remove(*current));
  journal.markDamaged((*segments)[1].number);
  REQUIRE(journal.remove((*segments)[0].number));
  REQUIRE(journal.remove((*segments)[1].number));
  CHECK_FALSE(std::filesystem::exists((*segments)[0].path));
  CHECK(std::filesystem::exists((*segments)[1].path.string() + ".damaged"));
  CHECK(listSegments(scratch.path())->size() == 2);
}

}  // namespace
}  // namespace virtseer::store
