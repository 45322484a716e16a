#include "agent/columns.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/boot_options.h"
#include "agent/scan.h"
#include "virtseer/echo/codec.h"

namespace virtseer::agent {
namespace {

TEST_CASE("the kind of a column follows from its name") {
  Columns columns;
  columns.add("a_total");
  columns.add("a_bytes");
  CHECK(columns.names()[0].kind == echo::Kind::counter);
  CHECK(columns.names()[1].kind == echo::Kind::gauge);
}

TEST_CASE("a catalogue that is full refuses and counts, and what is set there goes nowhere") {
  Columns columns;
  for (std::size_t i = 0; i < echo::kMaxColumns; ++i) REQUIRE(columns.add("a") == i);
  CHECK(columns.add("a") == kNoColumn);
  CHECK(columns.refused() == 1);
  Row row;
  row.set(kNoColumn, 5);
  CHECK(row.values(0).empty());
}

TEST_CASE("a label's value from a hostile device can always be sent") {
  Columns columns;
  columns.add("a", {{"device", "x\n\x1b[31m\xff" + std::string(1000, 'y')}});
  columns.add("a", {{"device", "Größe"}});
  const std::string frame = echo::encodeCatalogue(0, columns.names());
  const auto back = echo::decodeCatalogue(std::string_view(frame).substr(echo::kHeaderBytes));
  REQUIRE(back);
  CHECK(back->columns[0].labels.at("device").starts_with("x??[31m?yyy"));
  CHECK(back->columns[1].labels.at("device") == "Größe");
}

TEST_CASE("a row forgets the round before") {
  Row row;
  row.set(2, 5);
  CHECK(row.values(3)[2] == 5);
  row.clear();
  for (const double value : row.values(4)) CHECK(value != value);
}

TEST_CASE("numbers are digits alone and saturate") {
  CHECK(parseNumber("18446744073709551615") == UINT64_MAX);
  CHECK(parseNumber("99999999999999999999999") == UINT64_MAX);
  CHECK_FALSE(parseNumber(""));
  CHECK_FALSE(parseNumber("-1"));
  CHECK_FALSE(parseNumber("1x"));
  CHECK(parseDecimal("0.07") == 0.07);
  CHECK(parseDecimal("12") == 12);
  CHECK_FALSE(parseDecimal("1."));
  CHECK_FALSE(parseDecimal(".5"));
  CHECK_FALSE(parseDecimal("1.2.3"));
}

TEST_CASE("the last argument of a name counts, and only whole names") {
  const std::string_view line =
      "quiet virtseer.ip=10.0.0.1/8 xvirtseer.ip=9 virtseer.ip=10.0.0.2/8\n";
  CHECK(kernelArgument(line, "virtseer.ip") == "10.0.0.2/8");
  CHECK_FALSE(kernelArgument(line, "virtseer.i"));
  CHECK_FALSE(kernelArgument(line, "quiet"));
}

TEST_CASE("an address needs four parts and a prefix") {
  CHECK(parseIpv4Network("10.77.1.2/24") == Ipv4Network{0x0a4d0102, 0xffffff00});
  CHECK(parseIpv4Network("1.2.3.4/0") == Ipv4Network{0x01020304, 0});
  CHECK(parseIpv4Network("1.2.3.4/32") == Ipv4Network{0x01020304, 0xffffffff});
  for (const char* text : {"", "1.2.3.4", "1.2.3/24", "1.2.3.4.5/24", "1.2.3.256/24", "1.2.3.4/33",
                           "1.2.3.4/", "a.2.3.4/8", "1..3.4/8"}) {
    CAPTURE(text);
    CHECK_FALSE(parseIpv4Network(text));
  }
}

TEST_CASE("an interval has a unit and keeps within the protocol's limits") {
  CHECK(parseInterval("5s") == 5000);
  CHECK(parseInterval("200ms") == 200);
  CHECK(parseInterval("3600s") == 3600000);
  for (const char* text : {"", "5", "199ms", "3601s", "s", "-1s", "99999999999999999999s"}) {
    CAPTURE(text);
    CHECK_FALSE(parseInterval(text));
  }
}

}  // namespace
}  // namespace virtseer::agent
