#include <catch2/catch.hpp>

#include "collect/backoff.h"
#include "collect/proc_files.h"
#include "collect/schedule.h"
#include "collect/token_bucket.h"

using namespace virtseer;
using namespace virtseer::collect;

TEST_CASE("pauses grow from the first to the second and then double up to the most") {
  Backoff backoff(Millis(500), Millis(2000), Millis(30'000));
  std::vector<long> pauses;
  for (int i = 0; i < 7; ++i) pauses.push_back(backoff.next().count());
  CHECK(pauses == std::vector<long>{500, 2000, 4000, 8000, 16'000, 30'000, 30'000});
  backoff.reset();
  CHECK(backoff.next() == Millis(500));
}

TEST_CASE("beats that were missed are skipped and delays do not add up") {
  const std::chrono::steady_clock::time_point start{std::chrono::seconds(100)};
  const auto at = [&](int ms) { return start + Millis(ms); };
  CHECK(nextTick(start, Millis(1000), at(0)) == at(1000));
  CHECK(nextTick(start, Millis(1000), at(999)) == at(1000));
  CHECK(nextTick(start, Millis(1000), at(1030)) == at(2000));
  CHECK(nextTick(start, Millis(1000), at(5400)) == at(6000));
  CHECK(nextTick(start, Millis(1000), at(-5)) == at(0));
}

TEST_CASE("a bucket gives its burst at once and then its rate") {
  TokenBucket bucket(10, 20);
  std::chrono::steady_clock::time_point now{std::chrono::seconds(100)};
  int taken = 0;
  while (bucket.take(1, now)) ++taken;
  CHECK(taken == 20);
  now += Millis(500);
  for (taken = 0; bucket.take(1, now);) ++taken;
  CHECK(taken == 5);
  now += std::chrono::hours(1);
  for (taken = 0; bucket.take(1, now);) ++taken;
  CHECK(taken == 20);
}

TEST_CASE("lists of CPUs are counted and nonsense is absent") {
  CHECK(cpusInList("0\n") == 1u);
  CHECK(cpusInList("0-3,8,10-11\n") == 7u);
  CHECK_FALSE(cpusInList("\n"));
  CHECK_FALSE(cpusInList("3-1"));
  CHECK_FALSE(cpusInList("a-b"));
  CHECK_FALSE(cpusInList("0-99999999999"));
  CHECK_FALSE(cpusInList("0-4 7"));
}

TEST_CASE("the line of a pressure file that is asked for is the one that is read") {
  const std::string text =
      "some avg10=1.00 avg60=0.00 avg300=0.00 total=11\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
      "total=7\n";
  CHECK(pressureTotal(text, "some") == 11u);
  CHECK(pressureTotal(text, "full") == 7u);
  CHECK_FALSE(pressureTotal("some avg10=1.00\n", "some"));
  CHECK_FALSE(pressureTotal("full total=3\n", "some"));
}
