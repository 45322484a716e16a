#include "daemon/duplicates.h"

#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::daemon;

namespace {

const Timestamp kStart{Millis(1'800'000'000'000)};

Uuid number(std::uint8_t n) {
  Uuid out;
  out.bytes[15] = n;
  return out;
}

HostState host(std::uint8_t n, const std::string& name) {
  HostState out;
  out.uuid = number(n);
  out.name = name;
  return out;
}

fleet::PeerState peer(HostState host) {
  fleet::PeerState out;
  out.name = host.name;
  out.host = host.uuid;
  out.answers = true;
  out.state.emplace();
  out.state->host = std::move(host);
  return out;
}

/// This host, alpha, and two others; every one of them answers each second.
struct World {
  HostState own = host(1, "alpha");
  std::vector<fleet::PeerState> peers{peer(host(2, "beta")), peer(host(3, "gamma"))};
  Timestamp now = kStart;
  std::optional<Timestamp> silent_since;  ///< beta's libvirt
  Duplicates duplicates;
  std::vector<Event> events;

  HostState& of(std::size_t n) { return n == 0 ? own : peers[n - 1].state->host; }

  void set(std::size_t n, VmState state) {
    PlacedVm vm;
    vm.uuid = number(9);
    vm.name = "web";
    vm.state = state;
    of(n).vms = {vm};
  }

  void live(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      now += Millis(1000);
      own.as_of = now;
      for (auto& peer : peers) {
        if (!peer.answers) continue;
        peer.heard = peer.state->host.as_of = now;
      }
      if (silent_since) of(1).as_of = std::min(now, *silent_since);
      for (auto& event : duplicates.take(own, peers, now)) events.push_back(std::move(event));
    }
  }

  std::vector<std::string> kinds() const {
    std::vector<std::string> out;
    for (const auto& event : events) out.push_back(event.kind);
    return out;
  }
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a VM that two hosts run is told once, and once more when it is over") {
  World world;
  world.set(0, VmState::running);
  world.set(1, VmState::running);
  world.live(180);
  CHECK(world.events.empty());
  CHECK(world.duplicates.found().empty());
  world.live(100);
  REQUIRE(world.kinds() == Strings{"vm.duplicate"});
  CHECK(world.events[0].severity == Severity::error);
  CHECK(world.events[0].entity == number(9));
  CHECK(world.events[0].message ==
        "web runs on alpha and beta at once, as they say: 'virtseer doctor' says what to do");
  CHECK(world.duplicates.found() ==
        std::vector<Duplicate>{{number(9), "web", {"alpha", "beta"}, kStart + Millis(1000)}});
  world.set(1, VmState::shutoff);
  world.live(1);
  CHECK(world.kinds() == Strings{"vm.duplicate", "vm.duplicate_over"});
  CHECK(world.events[1].message == "web is no longer said to run on alpha and beta at once");
  CHECK(world.duplicates.found().empty());
}

TEST_CASE("a VM that two other hosts run is told too") {
  World world;
  world.set(1, VmState::running);
  world.set(2, VmState::blocked);
  world.live(200);
  REQUIRE(world.duplicates.found().size() == 1);
  CHECK(world.duplicates.found()[0].hosts == Strings{"beta", "gamma"});
}

TEST_CASE("a VM that moves is no duplicate, though hosts tell of it at different times") {
  World world;
  world.set(0, VmState::paused);  // it comes in
  world.set(1, VmState::running);
  world.live(300);
  world.set(0, VmState::running);  // and is here, which the other host tells late
  world.live(179);
  world.of(1).vms.clear();
  world.live(300);
  CHECK(world.events.empty());
}

TEST_CASE("the last word of a host that is silent since makes no duplicate") {
  World world;
  world.set(1, VmState::running);
  world.live(1);
  world.peers[0].answers = false;
  world.set(0, VmState::running);  // as after a failover
  world.live(500);
  CHECK(world.events.empty());
}

TEST_CASE("a host whose libvirt is silent makes no duplicate, and hides none") {
  World world;
  for (const std::size_t n : {1, 2}) world.set(n, VmState::running);
  world.live(1);
  // It passes for one that knows until its last answer is two minutes old.
  const auto stuck = world.now + Millis(120'000);
  world.silent_since = stuck;
  SECTION("none") {
    world.of(2).vms.clear();
    world.set(0, VmState::running);
    world.live(500);
    CHECK(world.events.empty());
  }
  SECTION("one") {
    world.set(0, VmState::running);
    world.live(500);
    REQUIRE(world.kinds() == Strings{"vm.duplicate"});
    CHECK(world.duplicates.found()[0].hosts == Strings{"alpha", "gamma"});
  }
}

TEST_CASE("a duplicate is over three minutes after one of its hosts fell silent") {
  World world;
  world.set(0, VmState::running);
  world.set(1, VmState::running);
  world.live(200);
  world.peers[0].answers = false;
  world.live(180);
  CHECK(world.duplicates.found().size() == 1);
  world.live(1);
  CHECK(world.kinds() == Strings{"vm.duplicate", "vm.duplicate_over"});
}

TEST_CASE("a clock that is set back puts a duplicate off, and does not hide it") {
  World world;
  world.set(0, VmState::running);
  world.set(1, VmState::running);
  world.live(10);
  world.now -= std::chrono::hours(1);
  world.live(200);
  CHECK(world.kinds() == Strings{"vm.duplicate"});
}

TEST_CASE("a peer that has this host's id, or another peer's, makes no duplicates") {
  World world;
  for (std::size_t n = 0; n < 3; ++n) world.set(n, VmState::running);
  world.of(1).uuid = world.of(2).uuid = world.own.uuid;
  world.live(300);
  CHECK(world.events.empty());
}
