#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/time.h"
#include "fleet/peers.h"
#include "model/host_state.h"

namespace virtseer::daemon {

/// What libvirt told about this host and its VMs when it was asked last.
struct OwnFacts {
  HostState host;
  std::vector<PlacedVm> vms;
  Timestamp asked;
};

/// What is known of this host at once, without asking anybody.
struct OwnNow {
  Timestamp now;
  Host host;
  std::vector<Vm> vms;  ///< that are present
  bool maintenance = false;
  std::vector<Flight> flights;
  std::vector<Reservation> reservations;
  std::function<std::optional<double>(const Uuid&)> demand;  ///< cores wanted now
  std::function<std::vector<PastMove>(const Uuid&)> moves;
  /// How fast it writes its memory, in bytes per second; may be empty.
  std::function<std::optional<double>(const Uuid&)> dirty_rate = {};
};

/// Facts older than this no longer count as known: libvirt has not answered for too long.
inline constexpr Millis kFactsLast{120'000};

/// True if a VM that occupies this host is not among the facts yet.
bool lacksVm(const OwnFacts& facts, const std::vector<Vm>& vms);

/// This host as planners see it. A VM that is not among the facts yet counts with what it wants,
/// and cannot move.
HostState ownState(const OwnFacts& facts, OwnNow own);

/// This host and its peers. A peer that never answered stands there as silent and never heard, so
/// that a plan can say so. Where two know a VM's demand, this host's own scenarios count.
FleetView fleetView(HostState own, Scenarios scenarios, std::vector<fleet::PeerState> peers);

}  // namespace virtseer::daemon
