#include "collect/caller_limits.h"

#include <catch2/catch.hpp>

namespace virtseer::collect {
namespace {

using Verdict = CallerLimits::Verdict;

const CallerLimits::Instant kNow{std::chrono::hours(1)};

TEST_CASE("clients, those before their login, and those of one address have bounds of their own") {
  CallerLimits limits({.clients = 4, .pending = 3, .pending_of_address = 2});
  CHECK(limits.admit("a", kNow) == Verdict::welcome);
  CHECK(limits.admit("a", kNow) == Verdict::welcome);
  CHECK(limits.admit("a", kNow) == Verdict::full);
  CHECK(limits.admit("b", kNow) == Verdict::welcome);
  CHECK(limits.admit("c", kNow) == Verdict::full);
  limits.settle("a");
  CHECK(limits.admit("a", kNow) == Verdict::welcome);
  CHECK(limits.clients() == 4);
  CHECK(limits.pending() == 3);
  limits.settle("b");
  CHECK(limits.admit("d", kNow) == Verdict::full);
  limits.leave();
  CHECK(limits.admit("d", kNow) == Verdict::welcome);
}

TEST_CASE("an address that gives wrong tokens is barred, others are not, and it is forgiven") {
  CallerLimits limits({.offences = 2, .forgiven = Millis(10'000)});
  limits.offend("a", kNow);
  CHECK(limits.admit("a", kNow) == Verdict::welcome);
  limits.offend("a", kNow);
  CHECK(limits.admit("a", kNow) == Verdict::barred);
  CHECK(limits.admit("b", kNow) == Verdict::welcome);
  CHECK(limits.admit("a", kNow + Millis(9'999)) == Verdict::barred);
  CHECK(limits.admit("a", kNow + Millis(10'000)) == Verdict::welcome);
}

TEST_CASE("however many addresses give wrong tokens, few are kept, the worst among them") {
  CallerLimits limits({.offences = 1, .addresses = 3});
  for (int i = 0; i < 1000; ++i) limits.offend("guesser " + std::to_string(i), kNow + Millis(i));
  CHECK(limits.admit("guesser 999", kNow + Millis(1000)) == Verdict::barred);
  CHECK(limits.admit("guesser 1", kNow + Millis(1000)) == Verdict::welcome);
}

}  // namespace
}  // namespace virtseer::collect
