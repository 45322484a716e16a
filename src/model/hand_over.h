#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/host_state.h"
#include "model/operation.h"
#include "model/reservation.h"
#include "model/scenarios.h"

/// What daemons tell each other about hosts and about VMs that go from one to the other.
namespace virtseer {

/// What a source asks a destination for before anything moves.
struct ReserveOrder {
  std::string operation;
  bool dry_run = false;   ///< look only: nothing is held
  std::string return_of;  ///< the operation that sent the VM away from the host that is asked
  Uuid vm;
  std::string vm_name;
  Uuid from;
  std::string from_name;
  double cpus = 0;
  std::uint64_t memory_bytes = 0;
  bool copy_storage = false;
  std::string live_xml;
  std::vector<DiskCopy> copied = {};  ///< with `copy_storage`: the disks that are copied
  OperationOrigin origin = OperationOrigin::person;
  /// StorageReach::id of each disk that is not copied, but for media that hosts hold for themselves
  std::vector<std::string> storage = {};
  bool unlocked = false;   ///< its policy allows shared disks without a lock manager
  bool may_share = false;  ///< cores that are spoken for are no reason to refuse it

  bool operator==(const ReserveOrder&) const = default;
};

/// The destination's answer. Where a check does not hold, nothing is held.
struct ReserveAnswer {
  std::vector<Check> checks;
  std::optional<Reservation> reservation;

  bool operator==(const ReserveAnswer&) const = default;
};

/// What follows a VM to its new host on commit.
struct CommitOrder {
  bool autostart = false;
  std::vector<PastMove> moves;  ///< the VM's, the present one included

  bool operator==(const CommitOrder&) const = default;
};

/// A VM on a peer: where it stands, and how it does.
struct RemoteVm {
  Presence presence;
  Wellbeing wellbeing;
  Uuid host{};  ///< that says so

  bool operator==(const RemoteVm&) const = default;
};

/// What a daemon tells its peers of its own host.
struct FleetState {
  Timestamp now;  ///< by the clock of who tells
  HostState host;
  Scenarios scenarios;  ///< CPU of its VMs, and of the host's own load under the host's UUID

  bool operator==(const FleetState&) const = default;
};

}  // namespace virtseer
