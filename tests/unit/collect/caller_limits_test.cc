#include "collect/caller_limits.h"

#include <catch2/catch.hpp>

namespace virtseer::collect {
namespace {

using Verdict = CallerLimits::Verdict;

const CallerLimits::Instant kNow{std::chrono::hours(1)};

TEST_CASE("clients, those before their login, and those of one origin have bounds of their own") {
  CallerLimits limits({.clients = 4, .pending = 3, .pending_of_origin = 2});
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
  CallerLimits limits({.pending = 2, .offences = 1, .remembered = 3});
  for (int i = 0; i < 1000; ++i) limits.offend("guesser " + std::to_string(i), kNow + Millis(i));
  CHECK(limits.admit("guesser 999", kNow + Millis(1000)) == Verdict::barred);
  CHECK(limits.admit("guesser 1", kNow + Millis(1000)) == Verdict::welcome);
}

TEST_CASE("an origin that connects is never forgotten") {
  CallerLimits limits({.pending_of_origin = 1, .remembered = 3});
  REQUIRE(limits.admit("a", kNow) == Verdict::welcome);
  for (int i = 0; i < 100; ++i) limits.offend("guesser " + std::to_string(i), kNow);
  CHECK(limits.admit("a", kNow) == Verdict::full);
  limits.settle("a");
  CHECK(limits.admit("a", kNow) == Verdict::welcome);
}

TEST_CASE("an origin may call only so often, whatever it has to say") {
  CallerLimits limits({.calls = 2, .calls_per_second = 2});
  const auto call = [&](Millis after) {
    const auto verdict = limits.admit("a", kNow + after);
    if (verdict == Verdict::welcome) limits.settle("a");
    return verdict;
  };
  CHECK(call(Millis(0)) == Verdict::welcome);
  CHECK(call(Millis(0)) == Verdict::welcome);
  CHECK(call(Millis(499)) == Verdict::barred);
  CHECK(call(Millis(500)) == Verdict::welcome);
}

TEST_CASE("a guest cannot have its neighbours of one network turned away once they logged in") {
  const Uuid vm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");
  CallerLimits limits({.offences = 1});
  const std::string network = "2001:db8::/64";
  CHECK(limits.origin("2001:db8::1", network) == network);
  limits.prove(vm, "2001:db8::1");
  limits.offend(limits.origin("2001:db8::bad", network), kNow);
  CHECK(limits.admit(limits.origin("2001:db8::2", network), kNow) == Verdict::barred);
  CHECK(limits.admit(limits.origin("2001:db8::1", network), kNow) == Verdict::welcome);
  limits.prove(vm, "2001:db8::3");  // one VM has one address
  CHECK(limits.origin("2001:db8::1", network) == network);
}

}  // namespace
}  // namespace virtseer::collect
