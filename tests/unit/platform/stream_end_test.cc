#include "platform/libvirt/stream_end.h"

#include <catch2/catch.hpp>

using virtseer::platform::StreamEnd;

TEST_CASE("a stream that is closed while nobody sends is finished by the closer") {
  StreamEnd end;
  CHECK(end.close());
  CHECK(end.closed());
  CHECK_FALSE(end.close());
}

TEST_CASE("a stream that was closed before a queued write began is not finished again by it") {
  StreamEnd end;
  REQUIRE(end.close());
  CHECK_FALSE(end.beginSending());
  CHECK_FALSE(end.endSending());
}

TEST_CASE("a stream that is closed while a thread sends is finished once, by that thread") {
  StreamEnd end;
  REQUIRE(end.beginSending());
  CHECK_FALSE(end.beginSending());
  CHECK_FALSE(end.close());
  CHECK(end.endSending());
  CHECK_FALSE(end.close());
  CHECK_FALSE(end.endSending());
}

TEST_CASE("a stream that stays open is finished by no sender") {
  StreamEnd end;
  for (int round = 0; round < 2; ++round) {
    REQUIRE(end.beginSending());
    CHECK_FALSE(end.endSending());
  }
  CHECK(end.close());
}
