#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/enroll.h"
#include "model/host_state.h"
#include "model/operation.h"

namespace virtseer::platform {

/// Both definitions of a VM and what may wake it.
struct VmDefinition {
  std::string inactive;  ///< XML with secrets; empty: the VM is transient
  std::string live;      ///< XML with secrets, as it may be sent to another host; empty: it is off
  bool autostart = false;
  bool managed_save = false;
  /// Of the live XML: what migrate() copies with `copy_storage`, and nothing else; by target.
  std::vector<DiskCopy> local_disks;

  bool operator==(const VmDefinition&) const = default;
};

struct MigrateOrder {
  Uuid vm;
  std::string destination;  ///< the URI that the source's libvirtd connects to
  bool persistent = true;   ///< define it there and undefine it here at switch-over
  bool copy_storage = false;
  /// With `copy_storage`: what is copied, of VmDefinition::local_disks; refused if it is no more.
  std::vector<DiskCopy> copied = {};
  bool auto_converge = true;
  std::uint64_t bandwidth_bytes_per_s = 0;  ///< 0: libvirt's own
  Millis downtime_limit{0};                 ///< 0: libvirt's own
};

/// What libvirt said at the end of a migration.
struct MigrateEnd {
  std::optional<Millis> downtime;
  std::optional<Millis> duration;
  std::uint64_t transferred_bytes = 0;

  bool operator==(const MigrateEnd&) const = default;
};

/// What a destination says of a VM that may come to it.
struct Admission {
  std::vector<Check> checks;
  /// Paths of the files that a move which copies disks would make here: each on storage of this
  /// host alone, and proven not to be there now.
  std::vector<std::string> copies;

  bool operator==(const Admission&) const = default;
};

/// What virtseer does to VMs, and what it asks immediately before. Loop thread only; every call
/// has a deadline but migrate(). While disconnected calls fail with Code::unreachable. A call that
/// failed with timeout or unreachable may still have taken effect: ask presence(). With any other
/// code libvirt has answered: what is not possible in the VM's present state is Code::failed.
/// The contract: tests/contract/environment.
class Actions {
 public:
  virtual ~Actions() = default;

  /// All active VMs as a planner needs them: processor, machine type, disks, networks, what cannot
  /// move, jobs, memory, vCPUs, policy metadata. `demand_cpus`, `dirty_bytes_per_s` and `moves`
  /// are left to the caller.
  virtual boost::asio::awaitable<Result<std::vector<PlacedVm>>> placed() = 0;
  /// Processor, machine types, storage, networks and disk locks of this host, and the memory given
  /// to VMs. The rest of HostState is left to the caller.
  virtual boost::asio::awaitable<Result<HostState>> host() = 0;

  /// Asked of libvirt now, never from a cache. A VM that is not known is State::absent, no error.
  /// libvirt keeps no reason over its own restart or its host's, and has none for a VM that was
  /// defined and never started: both are `unexplained`. Ask that only of a VM that is known to have
  /// run.
  virtual boost::asio::awaitable<Result<Presence>> presence(Uuid vm) = 0;
  virtual boost::asio::awaitable<Result<VmDefinition>> definition(Uuid vm) = 0;

  /// At a destination: whether a VM with this live XML could run here: its processor (compared by
  /// this host's libvirt), machine type, disks (reachable, or room for a copy), networks and
  /// bridges, devices, and that neither its UUID nor its name is taken by another. With
  /// `copy_storage` the move copies the disks `copied`, which the source took from its
  /// VmDefinition::local_disks; all others must be here. A check that hangs on what this process
  /// may not look at does not hold. The XML is hostile: Code::invalid if it is no domain's. The
  /// checks `identity` (a VM with its UUID is defined here and off: the caller may waive it for one
  /// that comes back) and `active` (it is active here) are always among them. Whether what
  /// lies at a path here is the same storage as there is not among them: the caller compares
  /// DiskNeed::storage of the source with StorageReach::id of host().
  virtual boost::asio::awaitable<Result<Admission>> admits(std::string live_xml, bool copy_storage,
                                                           std::vector<DiskCopy> copied) = 0;

  /// Moves it peer to peer, live, so that the move outlives this process. What libvirt holds
  /// unsafe it refuses: Code::refused. One that was aborted ends with Code::cancelled. Returns when
  /// libvirt's call does: possibly not for as long as a link is down. Cancelling the awaiting
  /// coroutine leaves the move alone.
  virtual boost::asio::awaitable<Result<MigrateEnd>> migrate(MigrateOrder order) = 0;
  /// The job that runs on it now; fraction of what is known; not_found if none runs, as on a VM
  /// that is off.
  virtual boost::asio::awaitable<Result<MigrationProgress>> progress(Uuid vm) = 0;
  /// Asks the running job to end. libvirt's call may go on for a while.
  virtual boost::asio::awaitable<Result<void>> abortJob(Uuid vm) = 0;

  virtual boost::asio::awaitable<Result<void>> setAutostart(Uuid vm, bool on) = 0;
  virtual boost::asio::awaitable<Result<void>> removeManagedSave(Uuid vm) = 0;
  virtual boost::asio::awaitable<Result<void>> suspend(Uuid vm) = 0;
  virtual boost::asio::awaitable<Result<void>> resume(Uuid vm) = 0;
  /// Starts a defined VM, or with `xml` one that is not.
  virtual boost::asio::awaitable<Result<void>> start(Uuid vm, std::string xml) = 0;
  /// Ends its emulator at once. A VM that is off already is done.
  virtual boost::asio::awaitable<Result<void>> destroy(Uuid vm) = 0;
  virtual boost::asio::awaitable<Result<void>> define(std::string xml) = 0;
  /// Removes the inactive definition, with the metadata of checkpoints; firmware variables stay. A
  /// VM without one is done.
  virtual boost::asio::awaitable<Result<void>> undefine(Uuid vm) = 0;

  /// Renames a file of a storage pool within its folder, so that no definition finds it any more;
  /// what bears the new name already, and not the old one, is done. Never over another file. Fails
  /// with refused where this process may not, an active VM here needs it, or another disk is based
  /// on it.
  virtual boost::asio::awaitable<Result<void>> setAside(std::string path, std::string new_path) = 0;
  /// Deletes a file of a storage pool through libvirt; what is gone is done. Fails with refused if
  /// a VM here, active or off, needs it, or another disk is based on it.
  virtual boost::asio::awaitable<Result<void>> deleteVolume(std::string path) = 0;

  /// What enrolling the VM has to know of both its definitions, asked of libvirt now.
  virtual boost::asio::awaitable<Result<EnrollFacts>> enrollFacts(Uuid vm) = 0;
  /// Adds the echo channel to a VM, or takes it away, in the running VM, its definition or both,
  /// as `where` says; where it is so already nothing is done. A definition that has no
  /// virtio-serial controller gets one with it; a running VM cannot be given one. It is never
  /// restarted. Fails with failed where the VM has nothing to change there, or takes no device
  /// while it runs.
  virtual boost::asio::awaitable<Result<void>> setEchoChannel(Uuid vm, bool present,
                                                              Affects where) = 0;
  /// Makes the balloon driver report every `period`, now, at the next start or both.
  virtual boost::asio::awaitable<Result<void>> setBalloonPeriod(Uuid vm,
                                                                std::chrono::seconds period,
                                                                Affects where) = 0;
};

}  // namespace virtseer::platform
