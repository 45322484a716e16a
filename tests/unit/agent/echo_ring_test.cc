#include "agent/echo_ring.h"

#include <catch2/catch.hpp>
#include <deque>
#include <random>
#include <string>

namespace virtseer::agent {
namespace {

TEST_CASE("a full ring pushes out the oldest and says how many") {
  EchoRing ring(10);
  CHECK(ring.push(1, "aaaa") == 0);
  CHECK(ring.push(2, "bbbb") == 0);
  CHECK(ring.push(3, "cccc") == 1);
  CHECK(ring.first() == 2);
  CHECK(ring.push(4, "dddddddddd") == 2);
  CHECK(ring.first() == 4);
  CHECK(ring.next(0)->frame == "dddddddddd");
}

TEST_CASE("a frame larger than the ring is lost itself and pushes nothing out") {
  EchoRing ring(10);
  ring.push(1, "aaaa");
  CHECK(ring.push(2, "eleven byte") == 1);
  CHECK(ring.first() == 1);
  CHECK_FALSE(ring.next(2));
}

TEST_CASE("what is released is gone, and numbers ahead release no more than there is") {
  EchoRing ring(100);
  for (std::uint64_t i = 1; i <= 5; ++i) ring.push(i, "x");
  ring.release(3);
  CHECK(ring.first() == 4);
  CHECK(ring.next(2)->sequence == 4);
  ring.release(1000);
  CHECK(ring.count() == 0);
  CHECK_FALSE(ring.first());
  CHECK(ring.push(6, "y") == 0);
  CHECK(ring.next(0)->frame == "y");
}

TEST_CASE("any order of keeping and releasing keeps the newest frames whole") {
  std::mt19937 random(7);
  for (int story = 0; story < 50; ++story) {
    EchoRing ring(1 + random() % 300);
    std::deque<std::pair<std::uint64_t, std::string>> expected;
    std::uint64_t sequence = 0;
    for (int step = 0; step < 300; ++step) {
      if (random() % 4 == 0 && !expected.empty()) {
        const auto upto = expected.front().first + random() % 4;
        ring.release(upto);
        while (!expected.empty() && expected.front().first <= upto) expected.pop_front();
      } else {
        const std::string frame(1 + random() % 60, static_cast<char>('a' + step % 26));
        const bool too_large = ring.push(++sequence, frame) > 0 && !ring.next(sequence);
        if (!too_large) expected.emplace_back(sequence, frame);
        while (expected.size() > ring.count()) expected.pop_front();
      }
      std::uint64_t from = 0;
      for (const auto& [number, frame] : expected) {
        const auto entry = ring.next(from);
        REQUIRE(entry);
        REQUIRE(entry->sequence == number);
        REQUIRE(entry->frame == frame);
        from = number + 1;
      }
      REQUIRE_FALSE(ring.next(from));
    }
  }
}

}  // namespace
}  // namespace virtseer::agent
