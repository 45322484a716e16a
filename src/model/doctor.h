#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/event.h"
#include "model/machine.h"

namespace virtseer {

/// What blinds virtseer, or may, and what to do about it.
struct Finding {
  Severity severity = Severity::warning;
  std::string kind;            ///< dotted: vm.channel_missing, host.libvirt_lost
  std::optional<Uuid> entity;  ///< VM or host
  std::string entity_name;     ///< untrusted
  std::string what;            ///< what was found, in one sentence
  std::string means;           ///< what is not seen because of it
  std::string remedy;          ///< what to do, in words
  std::string command;         ///< the exact command; empty: there is none

  bool operator==(const Finding&) const = default;
};

/// A virtualization environment as the daemon gets along with it.
struct CheckedEnvironment {
  std::string uri;
  bool connected = false;
  std::string error;
  std::uint64_t calls_stuck = 0;
  std::uint64_t calls_timed_out = 0;  ///< since the start
  std::string
      no_actions;  ///< why it lets the daemon read only; empty: it lets it act, or is silent
};

/// A VM as far as anything may keep it from being seen.
struct CheckedVm {
  Vm vm;
  AgentLink agent;
  bool token = false;                        ///< its agent may call, by TLS or vsock
  bool timed_out = false;                    ///< the hypervisor's figures are the last known ones
  std::optional<Timestamp> balloon_updated;  ///< when the balloon driver reported last
  std::optional<GuestFacts> guest;           ///< of qemu-guest-agent
  std::string guest_silent;                  ///< why qemu-guest-agent tells nothing; empty: it does
  bool shared_disks = false;                 ///< a disk of it is on storage that hosts share
  std::string policy_fault;                  ///< why its metadata's policy is not understood
};

/// A VM that several hosts say runs on them.
struct Duplicate {
  Uuid vm;
  std::string name;                ///< untrusted
  std::vector<std::string> hosts;  ///< sorted, two at least; labels
  Timestamp since;                 ///< when that was noticed

  bool operator==(const Duplicate&) const = default;
};

/// Another host's daemon.
struct CheckedPeer {
  std::string name;
  std::optional<Uuid> host;  ///< which host it says it is
  bool answers = false;
  std::optional<Timestamp> heard;
  std::string error;
};

/// All that the doctor looks at.
struct CheckUp {
  Timestamp now;
  Timestamp started;    ///< of the daemon
  std::string version;  ///< of the daemon
  Uuid host;
  std::string host_name;
  Millis interval{5000};  ///< of the statistics
  std::vector<CheckedEnvironment> environments;
  std::vector<CheckedPeer> peers;
  std::vector<CheckedVm> vms;
  std::vector<Duplicate> duplicates;
  std::vector<std::string> host_faults;  ///< settings that cannot be followed, each with what to do
  std::string store_error;               ///< empty: it writes
  std::uint64_t damaged = 0, rows_lost = 0, events_lost = 0;
  std::uint64_t missed_beats = 0;  ///< rounds of statistics that did not come in time
  bool pressure = true;            ///< the kernel tells pressure stalls
  std::optional<bool> clock_synchronised;
  std::optional<bool> kvm;         ///< VMs can use KVM, as libvirt says
  std::optional<bool> disk_locks;  ///< a lock manager guards disks; absent: not known
};

}  // namespace virtseer
