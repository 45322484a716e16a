#include "base/time.h"

#include <catch2/catch.hpp>

using namespace virtseer;

TEST_CASE("a timestamp is written in UTC with milliseconds and read back") {
  const Timestamp time{Millis(1'767'225'600'250)};
  CHECK(rfc3339(time) == "2026-01-01T00:00:00.250Z");
  CHECK(parseRfc3339("2026-01-01T00:00:00.250Z") == time);
  CHECK(parseRfc3339("2026-01-01T01:30:00.25+01:30") == time);
  CHECK(parseRfc3339("2025-12-31T23:00:00.2509-01:00") == time);
}

TEST_CASE("what is not a timestamp is refused") {
  for (const char* text :
       {"", "2026", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
        "2026-01-01T00:00:00+1:00", "-001-01-01T00:00:00Z"}) {
    INFO(text);
    CHECK_FALSE(parseRfc3339(text));
  }
}

TEST_CASE("a duration is a whole number and one unit") {
  CHECK(parseDuration("250ms") == Millis(250));
  CHECK(parseDuration("5s") == Millis(5000));
  CHECK(parseDuration("7d") == Millis(7LL * 24 * 3'600'000));
  for (const char* text :
       {"", "5", "s", "-5s", "5 s", "1.5s", "5w", "99999999999999999d", "9223372036854775807s"}) {
    INFO(text);
    CHECK_FALSE(parseDuration(text));
  }
}

TEST_CASE("a step of the wall clock leaves the monotonic clock alone") {
  ManualClock clock(Timestamp{});
  const auto mono = clock.mono();
  clock.stepWall(Millis(-5000));
  CHECK(clock.mono() == mono);
  clock.advance(Millis(10));
  CHECK(clock.mono() - mono == Millis(10));
  CHECK(clock.wall() == Timestamp(Millis(-4990)));
}
