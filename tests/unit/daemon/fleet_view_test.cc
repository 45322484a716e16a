#include "daemon/fleet_view.h"

#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::daemon;

namespace {

const Timestamp kNow{Millis(1'800'000'000'000)};

Uuid number(std::uint8_t n) {
  Uuid out;
  out.bytes[15] = n;
  return out;
}

Vm vm(std::uint8_t n, VmState state = VmState::running) {
  Vm out;
  out.uuid = number(n);
  out.name = "vm" + std::to_string(n);
  out.state = state;
  out.vcpus = 2;
  out.memory_bytes = 1000;
  return out;
}

OwnFacts facts(std::vector<std::uint8_t> vms) {
  OwnFacts out;
  out.asked = kNow;
  out.host.networks = {"default"};
  out.host.disk_locks = true;
  for (const auto n : vms) {
    PlacedVm placed;
    placed.uuid = number(n);
    placed.machine = "pc-q35-7.2";
    out.vms.push_back(placed);
  }
  return out;
}

OwnNow own(std::vector<Vm> vms) {
  OwnNow out;
  out.now = kNow;
  out.host.uuid = number(100);
  out.host.name = "one";
  out.vms = std::move(vms);
  out.demand = [](const Uuid& uuid) { return std::optional<double>(uuid.bytes[15]); };
  out.moves = [](const Uuid&) { return std::vector<PastMove>(40); };
  return out;
}

}  // namespace

TEST_CASE("this host is what libvirt said, with what is known since") {
  const auto state = ownState(facts({1, 2, 3}), own({vm(1), vm(2, VmState::shutoff), vm(4)}));
  CHECK(state.uuid == number(100));
  CHECK(state.networks == std::vector<std::string>{"default"});
  CHECK(state.disk_locks);
  CHECK(state.as_of == kNow);
  REQUIRE(state.vms.size() == 2);
  CHECK(state.vms[0].machine == "pc-q35-7.2");
  CHECK(state.vms[0].name == "vm1");
  CHECK(state.vms[0].demand_cpus == 1);
  CHECK(state.vms[0].memory_bytes == 1000);
  CHECK(state.vms[0].moves.size() == 32);
  CHECK(state.vms[0].unmovable.empty());
  CHECK(state.vms[1].uuid == number(4));
  CHECK(state.vms[1].unmovable.size() == 1);
}

TEST_CASE("how fast a VM writes its memory is told to planners where it was measured") {
  auto now = own({vm(1), vm(2)});
  CHECK_FALSE(ownState(facts({1, 2}), now).vms[0].dirty_bytes_per_s);
  now.dirty_rate = [](const Uuid& uuid) {
    return uuid == number(1) ? std::optional(5e6) : std::nullopt;
  };
  const auto state = ownState(facts({1, 2}), now);
  CHECK(state.vms[0].dirty_bytes_per_s == 5e6);
  CHECK_FALSE(state.vms[1].dirty_bytes_per_s);
}

TEST_CASE("facts that nobody renewed for two minutes make the host old") {
  auto now = own({});
  now.now = kNow + kFactsLast;
  CHECK(ownState(facts({}), now).as_of == now.now);
  now.now += Millis(1);
  CHECK(ownState(facts({}), now).as_of == kNow);
}

TEST_CASE("a VM that came since is missed, one that is off is not") {
  CHECK_FALSE(lacksVm(facts({1}), {vm(1), vm(2, VmState::shutoff)}));
  CHECK(lacksVm(facts({1}), {vm(1), vm(2)}));
}

TEST_CASE("peers stand beside this host, silent ones as silent, those never heard too") {
  fleet::PeerState two, three, four;
  two.name = "two";
  two.answers = true;
  two.state.emplace();
  two.state->host.uuid = number(2);
  two.state->host.as_of = kNow;
  two.state->scenarios.vms = {number(7)};
  three = two;
  three.state->host.uuid = number(3);
  three.answers = false;
  four.name = "four";
  HostState self;
  self.uuid = number(100);
  const auto view = fleetView(self, {}, {two, three, four});
  CHECK(view.self == number(100));
  REQUIRE(view.hosts.size() == 4);
  CHECK(view.hosts[1].answers);
  CHECK_FALSE(view.hosts[2].answers);
  CHECK_FALSE(view.hosts[3].answers);
  CHECK(view.hosts[3].name == "four");
  CHECK_FALSE(view.hosts[3].uuid.isNil());
  CHECK(view.hosts[3].as_of == Timestamp{});
  REQUIRE(view.scenarios.size() == 4);
  CHECK(view.scenarios[1].vms == std::vector<Uuid>{number(7)});
}
