#include "collect/stream_writer.h"

#include "unit/collect/bench.h"

using namespace virtseer;
using namespace virtseer::collect;

namespace {

const StreamId kStream{kVm, Source::libvirt};
const SeriesName kA{"a", {}, Kind::gauge}, kB{"b", {}, Kind::gauge}, kC{"c", {}, Kind::gauge};

}  // namespace

TEST_CASE("names are declared once and again after a swap") {
  RecordedRows rows;
  const auto sink = rows.sink();
  StreamWriter writer(sink, kStream);
  const std::vector<NamedValue> values{{&kA, 1}, {&kB, 2}};
  REQUIRE(writer.append(kStart, values) == store::Appended::taken);
  REQUIRE(writer.append(kStart + Millis(1), values) == store::Appended::taken);
  CHECK(rows.declarations == 1);
  rows.streams.clear();
  writer.redeclare();
  REQUIRE(writer.append(kStart + Millis(2), values) == store::Appended::taken);
  CHECK(rows.declarations == 2);
  CHECK(rows.last(kStream, "b") == 2);
}

TEST_CASE("missing values are left out of the row") {
  RecordedRows rows;
  const auto sink = rows.sink();
  StreamWriter writer(sink, kStream);
  REQUIRE(writer.append(kStart, std::vector<NamedValue>{{&kA, kMissing}, {&kB, 2}}));
  CHECK(rows.rows(kStream).front().values == std::vector<double>{2});
}

TEST_CASE("a catalogue that grows is declared from where it grew") {
  RecordedRows rows;
  const auto sink = rows.sink();
  StreamWriter writer(sink, kStream);
  const std::vector<SeriesName> names{kA, kB, kC};
  const std::vector<double> values{1, 2, 3};
  REQUIRE(writer.append(kStart, std::span(names).first(1), values));
  CHECK(rows.rows(kStream).back().values == std::vector<double>{1});
  REQUIRE(writer.append(kStart + Millis(1), names, values));
  CHECK(rows.rows(kStream).back().values == values);
  CHECK(rows.declarations == 2);
}

TEST_CASE("a full stream keeps the columns that fit and counts the values that do not") {
  RecordedRows rows;
  rows.columns_at_most = 2;
  const auto sink = rows.sink();
  const std::vector<SeriesName> names{kA, kB, kC};
  SECTION("by catalogue") {
    StreamWriter writer(sink, kStream);
    REQUIRE(writer.append(kStart, names, std::vector<double>{1, 2, 3}) == store::Appended::taken);
    CHECK(rows.rows(kStream).back().values == std::vector<double>{1, 2});
    CHECK(writer.refused() == 1);
  }
  SECTION("by name") {
    StreamWriter writer(sink, kStream);
    REQUIRE(writer.append(kStart, std::vector<NamedValue>{{&kA, 1}, {&kB, 2}, {&kC, 3}}));
    CHECK(rows.rows(kStream).back().values == std::vector<double>{1, 2});
    CHECK(writer.refused() == 1);
  }
}
