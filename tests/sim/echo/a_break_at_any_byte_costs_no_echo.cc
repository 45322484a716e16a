#include "sim/echo/world.h"

namespace virtseer::sim {
namespace {

/// A reader of this patience does not open the link anew before the story does.
constexpr collect::EchoLimits kPatient{.patience = Millis(60'000)};

/// Bytes that pass in each direction in the part of the story during which the link may break.
struct Lengths {
  std::size_t to_host = 0, to_guest = 0;
};

Lengths measure() {
  World world;
  Daemon daemon(world.clock, kPatient);
  world.live(daemon, 2);
  daemon.connect(world.port);
  world.port.to_host_left = world.port.to_guest_left = std::size_t{1} << 30;
  world.live(daemon, 3);
  REQUIRE(world.port.connected);
  return {(std::size_t{1} << 30) - *world.port.to_host_left,
          (std::size_t{1} << 30) - *world.port.to_guest_left};
}

void tell(std::optional<std::size_t> to_host, std::optional<std::size_t> to_guest, bool leftovers) {
  World world;
  Daemon daemon(world.clock, kPatient);
  world.port.keeps_leftovers = leftovers;
  world.live(daemon, 2);
  daemon.connect(world.port);
  world.port.to_host_left = to_host;
  world.port.to_guest_left = to_guest;
  world.live(daemon, 3);
  REQUIRE_FALSE(world.port.connected);

  world.live(daemon, 2);
  daemon.connect(world.port);
  world.live(daemon, 3);

  REQUIRE(daemon.closed.empty());
  requireWhole(daemon.rows, 1, world.guest.made());
  REQUIRE(daemon.counters().lost == 0);
}

}  // namespace

TEST_CASE("A break after any byte from the guest costs no echo and doubles none") {
  const auto lengths = measure();
  REQUIRE(lengths.to_host > 200);
  for (std::size_t at = 1; at <= lengths.to_host; ++at) {
    CAPTURE(at);
    tell(at, std::nullopt, false);
    tell(at, std::nullopt, true);
  }
}

TEST_CASE("A break after any byte to the guest costs no echo and doubles none") {
  const auto lengths = measure();
  REQUIRE(lengths.to_guest > 50);
  for (std::size_t at = 1; at <= lengths.to_guest; ++at) {
    CAPTURE(at);
    tell(std::nullopt, at, false);
    tell(std::nullopt, at, true);
  }
}

}  // namespace virtseer::sim
