#include "daemon/peer_view.h"

#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::daemon;

namespace {

const Timestamp kNow{Millis(1'800'000'000'000)};

fleet::PeerState heard() {
  PlacedVm vm;
  vm.demand_cpus = 1.25;
  HostState host;
  host.uuid.bytes[15] = 7;
  host.name = "beta-1";
  host.capacity = {.cpus = 14, .memory_bytes = 1000, .origin = "machine"};
  host.cpus_online = 16;
  host.maintenance = true;
  host.cpu.model = "EPYC";
  host.vms = {vm, vm};
  return {.name = "beta",
          .host = host.uuid,
          .state = FleetState{.now = kNow, .host = host, .scenarios = {}},
          .heard = kNow,
          .answers = true,
          .error = {}};
}

}  // namespace

TEST_CASE("a peer that answers is shown as it told, and what it does not tell is unknown") {
  const auto view = peerView(heard());
  CHECK(view.host.uuid.bytes[15] == 7);
  CHECK(view.host.name == "beta-1");
  CHECK(view.peer == "beta");
  CHECK_FALSE(view.host.self);
  CHECK(view.answers);
  CHECK(view.maintenance);
  CHECK(view.heard == kNow);
  CHECK(view.host.capacity.cpus == 14);
  CHECK(view.host.cpus_online == 16);
  CHECK(view.host.cpu_model == "EPYC");
  CHECK(view.usage.vms_running == 2u);
  CHECK(view.usage.vms_cpu_cores == 2.5);
  CHECK_FALSE(view.usage.vms_total);
  CHECK_FALSE(view.usage.cpu_cores);
  CHECK_FALSE(view.usage.memory_used_bytes);
}

TEST_CASE("a peer that fell silent keeps what it told last, with the time and the reason") {
  auto peer = heard();
  peer.answers = false;
  peer.error = "beta: no answer";
  const auto view = peerView(peer);
  CHECK_FALSE(view.answers);
  CHECK(view.error == "beta: no answer");
  CHECK(view.heard == kNow);
  CHECK(view.usage.vms_running == 2u);
}

TEST_CASE("of a peer that was never heard only the name is known") {
  const auto view = peerView({.name = "beta",
                              .host = {},
                              .state = {},
                              .heard = {},
                              .answers = false,
                              .error = "beta: refuses"});
  CHECK(view.host.uuid.isNil());
  CHECK(view.host.name == "beta");
  CHECK(view.host.capacity.origin.empty());
  CHECK_FALSE(view.heard);
  CHECK_FALSE(view.usage.vms_running);
  CHECK_FALSE(view.usage.vms_cpu_cores);
}
