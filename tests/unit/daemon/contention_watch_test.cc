#include "daemon/contention_watch.h"

#include <catch2/catch.hpp>

namespace virtseer::daemon {
namespace {

constexpr double kCores = 10;

/// A watch that wants three rounds in a row in which VMs wait for a fifth of ten cores.
struct Watched {
  ContentionWatch watch{0.2, 3};
  Timestamp now{Millis(1'700'000'000'000)};

  /// As many rounds of one second, in cores; what the last of them changed.
  std::optional<ContentionWatch::Change> rounds(int count, double used, double waited) {
    std::optional<ContentionWatch::Change> change;
    for (int i = 0; i < count; ++i, now += Millis(1000))
      change = watch.take(ContentionWatch::Measure{used, waited}, kCores, now);
    return change;
  }
};

}  // namespace

TEST_CASE("a host is contended once its VMs want all of it and wait, three rounds in a row") {
  Watched host;
  const auto since = host.now;
  CHECK_FALSE(host.rounds(2, 8, 2));
  const auto change = host.rounds(1, 8, 2);
  REQUIRE(change);
  CHECK(change->contended);
  CHECK(change->since == since);
  CHECK(host.watch.since() == since);
}

TEST_CASE(
    "waiting on a host with cores to spare is no contention, nor is a full host that waits for "
    "little") {
  Watched host;
  CHECK_FALSE(host.rounds(10, 4, 3));
  CHECK_FALSE(host.rounds(10, 10, 1.9));
  CHECK_FALSE(host.watch.contended());
}

TEST_CASE("rounds that speak for it have to follow each other") {
  Watched host;
  CHECK_FALSE(host.rounds(2, 8, 2));
  CHECK_FALSE(host.rounds(1, 8, 1.9));
  CHECK_FALSE(host.rounds(2, 8, 2));
  CHECK(host.rounds(1, 8, 2));
}

TEST_CASE("a contended host stays so until it has room, or its VMs hardly wait") {
  Watched host;
  host.rounds(3, 8, 2);
  REQUIRE(host.watch.contended());
  CHECK_FALSE(host.rounds(10, 8, 1));  // half of what made it contended, and nine tenths are wanted
  SECTION("it has room") {
    const auto change = host.rounds(3, 7, 1.9);
    REQUIRE(change);
    CHECK_FALSE(change->contended);
  }
  SECTION("they hardly wait") {
    const auto change = host.rounds(3, 9.5, 0.9);
    REQUIRE(change);
    CHECK_FALSE(change->contended);
  }
  CHECK_FALSE(host.watch.since());
}

TEST_CASE("a round without a measure, or of a host of unknown size, breaks nothing") {
  Watched host;
  host.rounds(2, 8, 2);
  CHECK_FALSE(host.watch.take(std::nullopt, kCores, host.now));
  CHECK_FALSE(host.watch.take(ContentionWatch::Measure{8, 2}, 0, host.now));
  CHECK(host.rounds(1, 8, 2));
}

}  // namespace virtseer::daemon
