#include "base/text.h"

#include <catch2/catch.hpp>

using namespace virtseer;

TEST_CASE("letters of any script pass, controls do not") {
  CHECK(printable("db-03 grün 数据库") == "db-03 grün 数据库");
  CHECK(printable("a\x1b[31mred") == "a\\x1b[31mred");
  CHECK(printable("two\nlines") == "two\\x0alines");
  CHECK(printable(std::string("nul\0", 4)) == "nul\\x00");
  CHECK(printable("\x7f") == "\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");
  CHECK(printable("\xe2\x80\xae"
                  "gpj") == "\\xe2\\x80\\xaegpj");
}

TEST_CASE("broken UTF-8 is shown as bytes and replaced for JSON") {
  for (const char* text :
       {"\xff", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    CHECK_FALSE(isUtf8(text));
    CHECK(isUtf8(printable(text)));
    CHECK(isUtf8(toUtf8(text)));
  }
  CHECK(toUtf8("a\xff"
               "b") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(isUtf8("\xf4\x8f\xbf\xbf"));
}
