#include "api/refusals.h"

#include <catch2/catch.hpp>

using namespace virtseer::api;

TEST_CASE("refusals are told once a minute, with how many there were") {
  Refusals refusals;
  const Refusals::Time start{std::chrono::hours(1)};
  CHECK(refusals.add(start, "10.0.0.1", "401: no") ==
        "api: refused 1, the last from 10.0.0.1: 401: no");
  CHECK_FALSE(refusals.add(start + std::chrono::seconds(59), "10.0.0.2", "401: no"));
  CHECK(refusals.add(start + std::chrono::seconds(60), "10.0.0.3", "a\nb") ==
        "api: refused 2, the last from 10.0.0.3: a\\x0ab");
}

TEST_CASE("bounds and rights refuse, mistakes do not") {
  for (unsigned status : {401u, 403u, 413u, 421u, 431u}) CHECK(isRefusal(status, "x"));
  CHECK(isRefusal(503, "busy"));
  CHECK_FALSE(isRefusal(503, "unreachable"));
  for (unsigned status : {200u, 400u, 404u, 405u, 415u, 500u, 504u})
    CHECK_FALSE(isRefusal(status, "x"));
}
