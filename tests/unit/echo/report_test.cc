#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "virtseer/echo/codec.h"

namespace virtseer::echo {
namespace {

std::string_view bodyOf(const std::string& frame) {
  return std::string_view(frame).substr(kHeaderBytes);
}

/// A body from JSON, as a stranger would write it.
std::string bodyFrom(const std::string& json) {
  const auto bytes = nlohmann::json::to_cbor(nlohmann::json::parse(json));
  return {bytes.begin(), bytes.end()};
}

Echo sampleEcho() {
  Echo echo{7, 123456, {1, 2.5}, {}};
  echo.report.tables = {
      {"processes",
       {"pid", "name", "cpu_cores"},
       {12.0, std::string("nginx: Größe"), 0.25, 13.0, Cell{}, Cell{}}},
      {"peers", {"address"}, {}},
  };
  echo.report.happenings = {{"guest.oom_kill",
                             HappeningSeverity::error,
                             -5,
                             3,
                             std::string(kMaxMessageBytes, 'm'),
                             {{"process", "stress"}, {"unit", ""}}}};
  return echo;
}

TEST_CASE("a report comes back as it was") {
  const Echo echo = sampleEcho();
  const auto again = decodeEcho(bodyOf(encode(echo)));
  REQUIRE(again);
  CHECK(again->values == echo.values);
  CHECK(again->report == echo.report);
  CHECK(again->report.tables[0].rows() == 2);
  CHECK(again->report.tables[1].rows() == 0);
}

TEST_CASE("an echo without a report is three items long, as it always was") {
  const std::string frame = encode(Echo{1, 2, {3}, {}});
  CHECK(static_cast<unsigned char>(bodyOf(frame)[0]) == 0x83);
}

TEST_CASE("tables alone, as a later version may send them, are a report") {
  const auto echo = decodeEcho(bodyFrom(R"([1, 2, [], [["a", ["b"], [1]]]])"));
  REQUIRE(echo);
  CHECK(echo->report.tables.size() == 1);
  CHECK(echo->report.happenings.empty());
}

TEST_CASE("what a later version adds to a table or a happening is stepped over") {
  const auto echo = decodeEcho(bodyFrom(
      R"([1, 2, [], [["a", ["b"], [1], {"x": [1]}]], [["guest.a", 0, 1, 1, "", {}, 9]], "more"])"));
  REQUIRE(echo);
  CHECK(echo->report.tables[0].cells == std::vector<Cell>{1.0});
  CHECK(echo->report.happenings[0].kind == "guest.a");
}

TEST_CASE("a report that breaks a rule is refused whole") {
  const auto tables = [](const std::string& json) {
    return !decodeEcho(bodyFrom("[1, 2, [], [" + json + "], []]")).has_value();
  };
  CHECK(tables(R"(["a", ["b"], [1]], ["a", ["b"], [1]])"));  // two of one name
  CHECK(tables(R"(["a", ["b", "b"], [1, 2]])"));             // two columns of one name
  CHECK(tables(R"(["a", ["b", "c"], [1]])"));                // a row that is not whole
  CHECK(tables(R"(["a", [], []])"));                         // no columns
  CHECK(tables(R"(["a b", ["b"], [1]])"));                   // no name
  CHECK(tables(R"(["a", ["b"], ["\u0007"]])"));              // a control character
  CHECK(tables(R"(["a", ["b"], [true]])"));                  // neither number nor text
  CHECK(tables(R"(["a", ["b"]])"));                          // fields are missing
  const auto happenings = [](const std::string& json) {
    return !decodeEcho(bodyFrom("[1, 2, [], [], [" + json + "]]")).has_value();
  };
  CHECK(happenings(R"(["vm.started", 0, 1, 1, "", {}])"));        // a kind that is not a guest's
  CHECK(happenings(R"(["guest", 0, 1, 1, "", {}])"));             // the same
  CHECK(happenings(R"(["guest..a", 0, 1, 1, "", {}])"));          // a name is empty
  CHECK(happenings(R"(["guest.a", 3, 1, 1, "", {}])"));           // no such severity
  CHECK(happenings(R"(["guest.a", 0, 1, -1, "", {}])"));          // less than none
  CHECK(happenings(R"(["guest.a", 0, 1, 1, "\n", {}])"));         // a control character
  CHECK(happenings(R"(["guest.a", 0, 1, 1, "", {"b c": ""}])"));  // no name
}

TEST_CASE("a report beyond its bounds is refused") {
  Echo echo{1, 2, {}, {}};
  SECTION("rows") {
    echo.report.tables = {{"a", {"b"}, std::vector<Cell>(kMaxTableRows + 1)}};
  }
  SECTION("tables") {
    for (std::size_t i = 0; i <= kMaxTables; ++i)
      echo.report.tables.push_back({"t" + std::to_string(i), {"b"}, {}});
  }
  SECTION("happenings") {
    echo.report.happenings.assign(kMaxHappenings + 1,
                                  {.kind = "guest.a", .message = {}, .fields = {}});
  }
  SECTION("a message") {
    echo.report.happenings = {
        {.kind = "guest.a", .message = std::string(kMaxMessageBytes + 1, 'm'), .fields = {}}};
  }
  SECTION("bytes") {
    const Cell cell = std::string(kMaxTextBytes, 't');
    echo.report.tables = {{"a", {"b", "c"}, std::vector<Cell>(2 * kMaxTableRows, cell)}};
  }
  CHECK_FALSE(decodeEcho(bodyOf(encode(echo))).has_value());
}

TEST_CASE("text is cleaned to what a frame may carry") {
  CHECK(cleanText("Größe\n\x1b[31m") == "Größe??[31m");
  CHECK(cleanText("abc\xff") == "abc?");
  CHECK(cleanText("aä", 2) == "a");
  CHECK(cleanText(std::string(1000, 'x')).size() == kMaxTextBytes);
}

}  // namespace
}  // namespace virtseer::echo
