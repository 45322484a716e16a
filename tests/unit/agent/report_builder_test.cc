#include "agent/report_builder.h"

#include <catch2/catch.hpp>
#include <limits>
#include <string>

#include "virtseer/echo/codec.h"

namespace virtseer::agent {
namespace {

/// Whether the other side takes the report as it is.
bool isTaken(const echo::Report& report) {
  const std::string frame = echo::encode(echo::Echo{1, 2, {}, report});
  const auto echo = echo::decodeEcho(std::string_view(frame).substr(echo::kHeaderBytes));
  return echo && echo->report == report;
}

TEST_CASE("a table is written row by row, and short rows are filled up") {
  ReportBuilder builder;
  auto table = builder.table("processes", {"pid", "name", "cpu_cores"});
  REQUIRE(table.row());
  table.number(1);
  table.text("in\nit");
  REQUIRE(table.row());
  table.number(std::numeric_limits<double>::quiet_NaN());
  table.absent();
  table.number(0.5);
  table.number(9);  // beyond the last column
  REQUIRE(table.row());
  builder.finish();
  const auto& made = builder.report().tables.at(0);
  using echo::Cell;
  CHECK(made.cells == std::vector<Cell>{1.0, std::string("in?it"), {}, {}, {}, 0.5, {}, {}, {}});
  CHECK(isTaken(builder.report()));
}

TEST_CASE("whatever is written, the report stays within what an echo may carry") {
  ReportBuilder builder;
  const std::string longest(echo::kMaxTextBytes, 'x');
  for (std::size_t t = 0; t <= echo::kMaxTables; ++t) {
    auto table = builder.table("t" + std::to_string(t), {"a", "b"});
    for (std::size_t r = 0; r <= echo::kMaxTableRows; ++r) {
      table.row();
      table.text(longest);
      table.number(0.1);
    }
  }
  for (std::size_t h = 0; h <= echo::kMaxHappenings; ++h)
    builder.happened({.kind = "guest.a", .message = longest + longest, .fields = {{"a", "\n"}}});
  builder.finish();
  CHECK(builder.refused() > 0);
  CHECK(isTaken(builder.report()));
}

TEST_CASE("a happening that finds no room is told to whoever reports it") {
  ReportBuilder builder;
  for (std::size_t h = 0; h < echo::kMaxHappenings; ++h)
    REQUIRE(builder.happened({.kind = "guest.a", .message = {}, .fields = {}}));
  CHECK_FALSE(builder.happened({.kind = "guest.a", .message = {}, .fields = {}}));
  CHECK(builder.refused() == 1);
  builder.clear();
  CHECK(builder.happened({.kind = "guest.a", .message = {}, .fields = {}}));
}

}  // namespace
}  // namespace virtseer::agent
