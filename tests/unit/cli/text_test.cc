#include <catch2/catch.hpp>
#include <limits>

#include "cli/columns.h"
#include "cli/units.h"

namespace virtseer::cli {

TEST_CASE("figures are short and have units", "[units]") {
  CHECK(bytesText(0) == "0 B");
  CHECK(bytesText(1023) == "1023 B");
  CHECK(bytesText(1024) == "1.0 KiB");
  CHECK(bytesText(1048575) == "1.0 MiB");
  CHECK(bytesText(10.0 * 1024 * 1024) == "10 MiB");
  CHECK(bytesText(1e300).ends_with(" PiB"));
  CHECK(bytesPerSecondText(2048) == "2.0 KiB/s");
  CHECK(coresText(0.534) == "0.53");
  CHECK(percentText(0.126) == "13 %");
  CHECK(secondsText(0.0) == "0 s");
  CHECK(secondsText(0.00025) == "250 us");
  CHECK(secondsText(0.0013) == "1.3 ms");
  CHECK(secondsText(2.5) == "2.5 s");
  CHECK(secondsText(200) == "3 min 20 s");
  CHECK(secondsText(1e300).ends_with(" h"));
  CHECK(countText(1234567) == "1,234,567");
  CHECK(countText(123) == "123");
  CHECK(countText(-1234) == "-1,234");
  CHECK(numberText(0.1) == "0.1");
  CHECK(numberText(10485760.25) == "10485760.25");
}

TEST_CASE("what is unknown is a dash, never zero", "[units]") {
  for (const auto text : {bytesText, bytesPerSecondText, coresText, percentText, secondsText,
                          numberText, countText}) {
    CHECK(text(std::nullopt) == "-");
    CHECK(text(std::numeric_limits<double>::quiet_NaN()) == "-");
    CHECK(text(std::numeric_limits<double>::infinity()) == "-");
  }
}

TEST_CASE("moments are told by how long ago they were", "[units]") {
  const auto now = *parseRfc3339("2026-01-31T08:05:00Z");
  CHECK(agoText("2026-01-31T08:04:57.250Z", now) == "2 s ago");
  CHECK(agoText("2026-01-31T05:00:00Z", now) == "3 h 5 min ago");
  CHECK(agoText("2026-01-01T00:00:00Z", now) == "30 d 8 h ago");
  CHECK(agoText("2026-01-31T09:00:00Z", now) == "2026-01-31T09:00:00.000Z");
  CHECK(agoText("", now) == "never");
  CHECK(agoText("\x1b[2J", now) == "\\x1b[2J");
}

TEST_CASE("columns line up for narrow and wide scripts", "[columns]") {
  Columns table({{"NAME", Align::left, 8}, {"N", Align::right}, {"LAST"}});
  table.add({"ü", "1", "x"});
  table.add({"東京", "100", "y"});
  table.add({"a-very-long-name", "7", "z\x1b[0m"});
  CHECK(table.text(20) ==
        "NAME        N  LAST\n"
        "ü           1  x\n"
        "東京      100  y\n"
        "a-very-…    7  z\\x1b[0m\n");
}

TEST_CASE("cells are cut only where there is no room, and never to look alike", "[columns]") {
  Columns table({{"NAME", Align::left, 6}, {"LAST"}});
  table.add({"machine-1", "x"});
  CHECK(table.text().find("machine-1") != std::string::npos);
  CHECK(table.text(15).find("machine-1") != std::string::npos);
  CHECK(table.text(12).find("machi…") != std::string::npos);
  table.add({"machine-2", "x"});
  CHECK(table.text(12).find("machine-1") != std::string::npos);
  CHECK(table.text(12).find("machine-2") != std::string::npos);
}

}  // namespace virtseer::cli
