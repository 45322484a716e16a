#include "predict/scorer.h"

#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::predict;

namespace {

Pending pendingAt(std::int64_t cell, double p95) {
  Pending out;
  out.cell = cell;
  out.level.point = 1;
  out.level.quantiles = {1, 1, p95, std::nullopt};
  out.peak.point = 2;
  out.peak.quantiles = {2, 2, p95, p95 + 1};
  return out;
}

Cells cellsUntil(std::int64_t end, float value) {
  Cells cells(100, 1);
  for (std::int64_t i = 0; i < end; ++i) cells.add({i, value});
  return cells;
}

}  // namespace

TEST_CASE("nothing is scored before its horizon has passed") {
  Scorer scorer;
  scorer.add(pendingAt(10, 3));
  CHECK(scorer.due(cellsUntil(21, 1), 12, 21).empty());
  CHECK(scorer.record().scored == 0);
  const auto due = scorer.due(cellsUntil(22, 1), 12, 22);
  REQUIRE(due.size() == 1);
  CHECK(due[0].level == Approx(1));
  CHECK(due[0].peak == Approx(1));
  CHECK(scorer.due(cellsUntil(40, 1), 12, 40).empty());
}

TEST_CASE("the truth is that of the horizon alone") {
  Scorer scorer;
  scorer.add(pendingAt(10, 3));
  Cells cells(100, 1);
  for (std::int64_t i = 0; i < 30; ++i)
    cells.add({i, i == 9 || i == 14 ? 50.0f : (i == 13 ? 5.0f : 1.0f)});
  const auto due = scorer.due(cells, 4, 30);
  REQUIRE(due.size() == 1);
  CHECK(due[0].peak == 5);
  CHECK(due[0].level == Approx(2));
}

TEST_CASE("the record counts what was promised and what held") {
  Scorer scorer;
  for (int i = 0; i < 10; ++i) scorer.add(pendingAt(i, i < 3 ? 0.5 : 4.0));
  scorer.due(cellsUntil(50, 3), 12, 50);
  const auto& record = scorer.record();
  CHECK(record.scored == 10);
  CHECK(record.level.coverage(2) == Approx(0.7));
  CHECK(record.peak.coverage(3) == Approx(0.7));
  CHECK_FALSE(record.level.coverage(3));
  CHECK(record.level.absolute_error == Approx(20));
  CHECK(record.recent(record.level).held == 7);
  CHECK(record.recent(record.level).of == 10);
}

TEST_CASE("a truth that misses over a quarter is no truth") {
  Scorer scorer;
  scorer.add(pendingAt(0, 3));
  scorer.add(pendingAt(12, 3));
  Cells cells(100, 1);
  for (std::int64_t i = 0; i < 30; ++i)
    if (i >= 12 || i % 2 == 0) cells.add({i, 1});
  CHECK(scorer.due(cells, 12, 30).size() == 1);
  CHECK(scorer.record().unscored == 1);
}

TEST_CASE("what never gets a truth is given up, and memory is bounded") {
  Scorer scorer;
  const Cells silent = cellsUntil(5, 1);
  for (int i = 0; i < 500; ++i) scorer.add(pendingAt(5 + i, 3));
  CHECK(scorer.pending() == Scorer::kMost);
  CHECK(scorer.due(silent, 12, 10'000).empty());
  CHECK(scorer.pending() == 0);
  CHECK(scorer.record().unscored == 500);
}

TEST_CASE("pending forecasts and the record survive being written") {
  Scorer scorer;
  for (int i = 0; i < 20; ++i) scorer.add(pendingAt(i, 0.5 * i));
  scorer.due(cellsUntil(20, 3), 12, 20);
  std::string bytes;
  ByteWriter out(bytes);
  scorer.write(out);
  Scorer read;
  ByteReader in(bytes);
  read.read(in);
  CHECK(in.ok());
  CHECK(in.left() == 0);
  CHECK(read.record() == scorer.record());
  CHECK(read.pending() == scorer.pending());
  scorer.due(cellsUntil(60, 3), 12, 60);
  read.due(cellsUntil(60, 3), 12, 60);
  CHECK(read.record() == scorer.record());
}
