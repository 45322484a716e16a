#include "virtseer/echo/cbor.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

namespace virtseer::echo {
namespace {

template <typename Write>
std::string written(Write write) {
  std::string out;
  CborWriter cbor(out);
  write(cbor);
  return out;
}

std::string number(double value) {
  return written([&](CborWriter& cbor) { cbor.number(value); });
}

TEST_CASE("a foreign reader reads what the writer writes") {
  const std::string bytes = written([](CborWriter& cbor) {
    cbor.array(8);
    cbor.unsignedInt(std::numeric_limits<std::uint64_t>::max());
    cbor.integer(std::numeric_limits<std::int64_t>::min());
    cbor.text("Grüße");
    cbor.boolean(true);
    cbor.null();
    cbor.number(0.1);
    cbor.map(1);
    cbor.text("cpu");
    cbor.text("on");
    cbor.array(0);
  });
  const auto json = nlohmann::json::from_cbor(bytes);
  CHECK(json[0] == std::numeric_limits<std::uint64_t>::max());
  CHECK(json[1] == std::numeric_limits<std::int64_t>::min());
  CHECK(json[2] == "Grüße");
  CHECK(json[3] == true);
  CHECK(json[4].is_null());
  CHECK(json[5] == 0.1);
  CHECK(json[6] == nlohmann::json{{"cpu", "on"}});
  CHECK(json[7].empty());
}

TEST_CASE("numbers of every width are exact for a foreign reader and for ours") {
  const std::vector<double> values{0,
                                   -1,
                                   23,
                                   24,
                                   255,
                                   256,
                                   65536,
                                   4294967296.0,
                                   9007199254740991.0,
                                   9007199254740992.0,
                                   1e18,
                                   -1e300,
                                   0.5,
                                   -2.25,
                                   65504.5,
                                   0x1p-24,
                                   0x3p-24,
                                   0x1p-14,
                                   0x1p-25,
                                   0x1p-149,
                                   0x1p-1074,
                                   0.1,
                                   1.0f / 3.0f,
                                   123.45,
                                   std::numeric_limits<double>::max()};
  for (const double value : values) {
    const std::string bytes = number(value);
    CAPTURE(value, bytes.size());
    CHECK(nlohmann::json::from_cbor(bytes).get<double>() == value);
    CborReader reader(bytes);
    CHECK(reader.number() == value);
    CHECK(reader.ok());
    CHECK(reader.atEnd());
  }
}

TEST_CASE("a number takes as few bytes as it can") {
  CHECK(number(0).size() == 1);
  CHECK(number(-24).size() == 1);
  CHECK(number(1000000).size() == 5);
  CHECK(number(0.5).size() == 3);
  CHECK(number(0x1p-24).size() == 3);
  CHECK(number(1.0f / 3.0f).size() == 5);
  CHECK(number(65504.5).size() == 5);
  CHECK(number(0.1).size() == 9);
}

TEST_CASE("what is no number travels as null and comes back as missing") {
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const std::string bytes = number(value);
    CHECK(bytes == "\xf6");
    CborReader reader(bytes);
    CHECK(std::isnan(reader.number()));
    CHECK(reader.ok());
  }
}

TEST_CASE("floats that are not finite are missing, whoever wrote them") {
  for (const std::string& bytes :
       {std::string("\xf9\x7c\x00", 3), std::string("\xf9\x7e\x00", 3),
        std::string("\xfa\x7f\x80\x00\x00", 5), std::string("\xfb\xff\xf0\0\0\0\0\0\0", 9)}) {
    CborReader reader(bytes);
    CHECK(std::isnan(reader.number()));
    CHECK(reader.ok());
  }
}

TEST_CASE("the first fault sticks") {
  CborReader reader("\x01\x02");
  CHECK(reader.text(10).empty());
  CHECK_FALSE(reader.ok());
  const std::string first = reader.error();
  CHECK(reader.unsignedInt() == 0);
  CHECK(reader.array(5) == 0);
  CHECK(reader.error() == first);
}

TEST_CASE("a count is never larger than the bytes that are left") {
  CborReader array(std::string_view("\x9a\xff\xff\xff\xff\x01", 6));
  CHECK(array.array(0xffffffff) == 0);
  CHECK_FALSE(array.ok());
  CborReader text(std::string_view("\x7b\xff\xff\xff\xff\xff\xff\xff\xff", 9));
  CHECK(text.text(std::string::npos).empty());
  CHECK_FALSE(text.ok());
}

TEST_CASE("lengths that end somewhere later and reserved heads are refused") {
  for (const std::string_view bytes : {"\x9f\x01\xff", "\x7f\x61\x61\xff", "\x1c", "\x1f"}) {
    CborReader reader(bytes);
    reader.skip();
    CHECK_FALSE(reader.ok());
  }
}

TEST_CASE("skipping ends at a bounded depth") {
  const std::string nested = std::string(10000, '\x81') + '\x01';
  CborReader reader(nested);
  reader.skip();
  CHECK_FALSE(reader.ok());
}

TEST_CASE("integers beyond what is asked for are refused") {
  CborReader above("\x18\x65");
  above.unsignedInt(100);
  CHECK_FALSE(above.ok());
  CborReader wide(std::string_view("\x1b\x80\0\0\0\0\0\0\0", 9));
  wide.integer();
  CHECK_FALSE(wide.ok());
}

}  // namespace
}  // namespace virtseer::echo
