#include <catch2/catch.hpp>

#include "cli/echo_tables.h"
#include "golden/cli/golden_tables.h"

namespace virtseer::cli {
namespace {

const Timestamp kNow = *parseRfc3339("2026-01-31T08:05:00Z");

}  // namespace

TEST_CASE("all that a guest told as a person sees it", "[golden]") {
  compareTable("cli_echo.txt", echoText(body("cli_echo.json"), kNow, 100));
  compareTable("cli_echo_none.txt", echoText(body("cli_echo_none.json"), kNow, 100));
}

TEST_CASE("a guest's processes as a person sees them", "[golden]") {
  compareTable("cli_top.txt", guestTableText(body("cli_top.json"), kNow, 100));
}

TEST_CASE("what an agent is to collect as a person sees it", "[golden]") {
  compare("cli_collection.txt", collectionText(body("cli_collection.json")));
}

TEST_CASE("tables that are none do not end the command", "[golden]") {
  for (const char* wrong :
       {R"({"tables":{"a":1,"b":{"columns":["x"],"rows":[1,[2,3],[{}]]},"c":{"rows":[[1]]}}})",
        R"({"tables":[1]})", R"({"values":[1,{"metric":5}],"sources":[],"cost":{"a":[]}})"})
    CHECK(echoText(wrong, kNow));
  CHECK_FALSE(echoText("[]", kNow));
}

}  // namespace virtseer::cli
