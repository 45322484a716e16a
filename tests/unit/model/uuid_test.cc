#include "virtseer/uuid.h"

#include <catch2/catch.hpp>
#include <string>

using virtseer::Uuid;

TEST_CASE("a UUID is read in either case and written in lower case") {
  const auto uuid = Uuid::parse("11111111-2222-4333-8444-AAbbCCddEEff");
  REQUIRE(uuid);
  CHECK(uuid->text() == "11111111-2222-4333-8444-aabbccddeeff");
  CHECK_FALSE(uuid->isNil());
  CHECK(Uuid{}.isNil());
  for (const char* text :
       {"", "11111111222243338444aabbccddeeff", "11111111-2222-4333-8444-aabbccddeef",
        "11111111-2222-4333-8444-aabbccddeefg", "1111111-12222-4333-8444-aabbccddeeff"})
    CHECK_FALSE(Uuid::parse(text));
}
