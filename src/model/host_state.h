#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/machine.h"
#include "model/policy.h"
#include "model/reservation.h"
#include "model/scenarios.h"
#include "virtseer/uuid.h"

namespace virtseer {

/// A processor as libvirt describes it.
struct CpuDescription {
  std::string model;                  ///< "EPYC-Rome"; empty: unknown
  std::vector<std::string> features;  ///< sorted; those a guest can be given

  bool operator==(const CpuDescription&) const = default;
};

/// How a guest got its processor; it decides what the way back needs.
enum class CpuMode : std::uint8_t {
  custom,            ///< a named model: fixed for good
  host_model,        ///< the host's at each start: a restart on a newer host closes the way back
  host_passthrough,  ///< the host's own: both hosts must be alike
};
std::string_view name(CpuMode mode);
/// libvirt's `mode` attribute; `maximum` counts as host_passthrough, absent as custom.
CpuMode parseCpuMode(std::string_view text);

/// A disk of a VM: which storage holds it and how much there is to copy.
struct DiskNeed {
  std::string storage;  ///< the same text as StorageReach::id of the storage that holds it
  std::uint64_t bytes = 0;

  bool operator==(const DiskNeed&) const = default;
};

/// A disk of a VM that a move copies: writable, of this VM alone, on storage of its host alone.
struct DiskCopy {
  std::string target;       ///< as its guest's bus names it: "vda"
  std::string path;         ///< of its topmost image file; empty: it is no plain disk in a file
  std::uint64_t bytes = 0;  ///< as its guest sees it: the most that a copy takes; 0: not known

  bool operator==(const DiskCopy&) const = default;
};

/// A storage that a host reaches.
struct StorageReach {
  std::string id;       ///< the same on every host that sees the same shared storage
  bool shared = false;  ///< an equal id elsewhere is the same storage; there may be none
  std::uint64_t free_bytes = 0;

  bool operator==(const StorageReach&) const = default;
};

/// How a move ended. Aborted: by a person, and the VM stayed.
enum class MoveOutcome : std::uint8_t { done, returned, failed, refused, aborted };
std::string_view name(MoveOutcome outcome);
std::optional<MoveOutcome> parseMoveOutcome(std::string_view text);

/// A move of a VM that is over; kept with the VM, so that it survives a restart of a daemon.
struct PastMove {
  Uuid from;
  Uuid to;
  Timestamp started;
  Timestamp ended;
  MoveOutcome outcome = MoveOutcome::done;
  bool automatic = false;  ///< virtseer's own idea: not a person's, nor for maintenance

  bool operator==(const PastMove&) const = default;
};

/// A VM where it is, what it wants and what it needs to run.
struct PlacedVm {
  Uuid uuid;
  std::string name;  ///< a label, untrusted
  Role role = Role::production;
  VmState state = VmState::running;
  double demand_cpus = 0;  ///< cores wanted now: CPU time plus the time vCPUs waited
  std::uint32_t vcpus = 0;
  std::uint64_t memory_bytes = 0;           ///< what it occupies on a host
  std::optional<double> dirty_bytes_per_s;  ///< how fast it writes its memory
  CpuMode cpu_mode = CpuMode::custom;
  CpuDescription cpu;   ///< what the guest sees
  std::string machine;  ///< "pc-q35-7.2"; empty: unknown
  std::vector<DiskNeed> disks;
  std::vector<std::string> networks;
  std::vector<std::string> unmovable;  ///< in words, each a reason: "host device 0000:01:00.0"
  std::string job;         ///< a job that runs on it now, in words: "backup"; empty: none
  std::string managed_by;  ///< another balancer or HA manager that owns it; empty: none
  std::optional<PolicyMetadata> metadata;
  std::vector<PastMove> moves;  ///< oldest first, bounded by whoever fills it

  bool operator==(const PlacedVm&) const = default;
};

/// True if the guest runs.
bool runs(VmState state);
/// True if the VM takes up memory of its host.
bool occupies(VmState state);

/// A move that is under way.
struct Flight {
  std::string operation;
  Uuid vm;
  Uuid from;
  Uuid to;

  bool operator==(const Flight&) const = default;
};

/// All that a decision needs to know about a host.
struct HostState {
  Uuid uuid;
  std::string name;
  HostCapacity capacity;
  std::uint32_t cpus_online = 0;   ///< 0: unknown
  std::uint64_t memory_given = 0;  ///< to VMs, listed or not; counts if larger than their sum
  bool maintenance = false;        ///< takes no VM and gives up those that it has
  bool answers = true;             ///< its daemon does
  Timestamp as_of;                 ///< when this was true; the epoch: it was never heard
  CpuDescription cpu;
  std::vector<std::string> machine_types;  ///< sorted; empty: unknown
  std::vector<StorageReach> storage;
  std::vector<std::string> networks;
  bool disk_locks = false;                 ///< virtlockd or sanlock guards disks
  std::optional<double> link_bytes_per_s;  ///< for migrations; measured or configured
  std::vector<Flight> flights;             ///< in and out
  std::vector<Reservation> reservations;   ///< held for VMs that come
  std::vector<PlacedVm> vms;

  bool operator==(const HostState&) const = default;
};

/// What a planner sees in one round.
struct FleetView {
  std::optional<Uuid> self;      ///< plan moves away from this host only; absent: from all
  std::vector<HostState> hosts;  ///< `self` among them
  /// CPU cores wanted. A VM in none of them has no forecast. A column with the UUID of a host is
  /// load of that host that belongs to no listed VM.
  std::vector<Scenarios> scenarios;

  bool operator==(const FleetView&) const = default;
};

}  // namespace virtseer
