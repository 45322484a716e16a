#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/machine.h"
#include "model/series.h"
#include "platform/actions.h"

namespace virtseer::platform {

/// A metric's value; `name` is interned: the pointer is valid, and means the same, for ever.
struct Measured {
  const SeriesName* name;
  double value;
};

/// The one copy of `name`. Any thread. For names from the hypervisor's side only: never freed.
const SeriesName* intern(SeriesName name);

/// What the hypervisor measured of one VM.
struct VmStatistics {
  Uuid uuid;
  bool timed_out = false;  ///< the VM was busy (a job held its lock): some values are missing
  std::vector<Measured> values;
};

/// What came of asking a guest.
struct GuestAnswer {
  std::optional<GuestFacts> facts;  ///< absent: it did not answer
  std::string silent;               ///< why it did not; empty: it did
};

/// Facts about the host as the environment tells them.
struct HostFacts {
  Uuid uuid;
  std::string name;
  std::string cpu_model;
  std::uint32_t cpus_online = 0;
  std::uint64_t memory_bytes = 0;
  std::string library_version;             ///< of libvirt's daemon, "9.0.0"
  std::string hypervisor_version;          ///< "QEMU 7.2.22"
  std::optional<bool> kvm = std::nullopt;  ///< guests can use KVM; absent: no matter for QEMU
};

/// Something that happened in the environment.
struct Notice {
  enum class Kind : std::uint8_t {
    connected,      ///< list everything again: notices are not replayed
    disconnected,   ///< `detail` says why
    vm_changed,     ///< definition, metadata, devices or tuning
    vm_lifecycle,   ///< `detail`: defined, undefined, started, suspended, resumed, stopped,
                    ///< shutdown, pmsuspended, crashed; `reason`: libvirt's reason in words (e.g.
                    ///< migrated)
    job_completed,  ///< `detail`: what ended
    io_error,
    migration_iteration,
  };
  Kind kind;
  std::optional<Uuid> vm;
  std::string vm_name;
  std::string detail;
  std::string reason;
  std::optional<MigrateEnd> job = {};  ///< job_completed: what libvirt measured
};

/// A byte stream into a VM. Loop thread only. Destroying it closes it.
class Channel {
 public:
  virtual ~Channel() = default;
  /// Waits for bytes; an error when the other end is gone or close() was called. At most one at a
  /// time.
  virtual boost::asio::awaitable<Result<std::string>> read() = 0;
  /// Hands bytes over; returns when they are taken. Fails with Code::busy if too much waits
  /// already.
  virtual boost::asio::awaitable<Result<void>> write(std::string bytes) = 0;
  virtual void close() = 0;
};

struct Capabilities {
  bool statistics = false;  ///< bulk statistics beyond the state
  bool channels = false;
  bool notices = false;
};

/// One virtualization environment on this host. Loop thread only; nothing blocks: calls run on the
/// environment's own bounded pools, each with a deadline. While disconnected calls fail with
/// Code::unreachable at once. The contract: tests/contract/environment.
class Environment {
 public:
  struct Status {
    bool connected = false;
    std::string uri;
    std::string error;  ///< why it is not connected
    std::optional<Timestamp> since;
    std::uint64_t reconnects = 0;
    std::uint64_t calls_timed_out = 0;
    std::size_t calls_stuck = 0;
  };

  virtual ~Environment() = default;

  /// Connects, stays connected with back-off, delivers notices. Runs until cancelled. Spawn it
  /// once.
  virtual boost::asio::awaitable<void> run() = 0;
  /// Where notices go; set it before run(). Called on the loop.
  virtual void onNotice(std::function<void(const Notice&)> receiver) = 0;

  virtual Status status() const = 0;
  virtual Capabilities capabilities() const = 0;
  /// When the environment's event thread last showed life; nullopt if it has none.
  virtual std::optional<std::chrono::steady_clock::time_point> eventThreadTick() const = 0;

  virtual boost::asio::awaitable<Result<std::vector<Vm>>> vms() = 0;
  virtual boost::asio::awaitable<Result<std::vector<VmStatistics>>> statistics() = 0;
  virtual boost::asio::awaitable<Result<HostFacts>> hostFacts() = 0;
  /// Opens the VM's virtio channel of this name, taking it from an earlier reader if need be.
  virtual boost::asio::awaitable<Result<std::unique_ptr<Channel>>> openChannel(
      Uuid vm, std::string name) = 0;
  /// Makes the balloon driver report every `period`; for VMs whose period is 0.
  virtual boost::asio::awaitable<Result<void>> setBalloonPeriod(Uuid vm,
                                                                std::chrono::seconds period) = 0;
  /// Asks the qemu-guest-agent in a running VM about its guest: bounded and clean, though the guest
  /// may lie. That nothing answers there is an answer too; a failure says that it could not be
  /// asked: unsupported without a channel for one, timeout while somebody else holds it (a backup
  /// that freezes its file systems). At most one at a time per VM; a second one is busy.
  virtual boost::asio::awaitable<Result<GuestAnswer>> guestFacts(Uuid vm) = 0;
  /// Has the hypervisor measure for `span` how fast a running VM writes its memory, by samples of
  /// its pages. Returns once that has begun; busy: it is being measured.
  virtual boost::asio::awaitable<Result<void>> measureDirtyRate(Uuid vm,
                                                                std::chrono::seconds span) = 0;
  /// The bytes per second that were measured last; absent: none, or it is not done yet.
  virtual boost::asio::awaitable<Result<std::optional<double>>> dirtyRate(Uuid vm) = 0;
  /// What can be done to its VMs; lives as long as the environment.
  virtual Actions& actions() = 0;
};

}  // namespace virtseer::platform
