#include <libvirt/libvirt.h>

#include <catch2/catch.hpp>

#include "platform/libvirt/acts.h"

using namespace virtseer;
using namespace virtseer::platform;

namespace {

struct Off {
  bool crashed = false;
  bool unexplained = false;
  bool operator==(const Off&) const = default;
};

Off offFor(int reason) {
  const auto presence = presenceFrom(VIR_DOMAIN_SHUTOFF, reason);
  CHECK(presence.state == Presence::State::off);
  return {presence.crashed, presence.unexplained};
}

constexpr Off kAct{};
constexpr Off kCrashed{.crashed = true};
constexpr Off kUnexplained{.unexplained = true};

}  // namespace

TEST_CASE("a VM is off by somebody's act, crashed, or for no known reason") {
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_SHUTDOWN) == kAct);
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_DESTROYED) == kAct);
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_MIGRATED) == kAct);
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_SAVED) == kAct);
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT) == kAct);
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_CRASHED) == kCrashed);
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_FAILED) == kCrashed);
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_UNKNOWN) == kUnexplained);
  CHECK(offFor(VIR_DOMAIN_SHUTOFF_DAEMON) == kUnexplained);
}

TEST_CASE("a reason that only a later libvirt knows is no known one") {
  CHECK(offFor(99) == kUnexplained);
  CHECK(offFor(-1) == kUnexplained);
}

TEST_CASE("what is not off has neither crashed nor needs a reason for being off") {
  for (const int state : {VIR_DOMAIN_RUNNING, VIR_DOMAIN_BLOCKED, VIR_DOMAIN_PAUSED,
                          VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_CRASHED}) {
    const auto presence = presenceFrom(state, 0);
    CHECK(presence.state != Presence::State::off);
    CHECK_FALSE(presence.crashed);
    CHECK_FALSE(presence.unexplained);
  }
}
