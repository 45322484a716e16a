#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer {

/// The state of a VM as libvirt names it, and `gone` for one that is known from history only.
enum class VmState : std::uint8_t {
  running,
  blocked,
  paused,
  shutdown,
  shutoff,
  crashed,
  suspended,
  gone
};
std::string_view name(VmState state);
std::optional<VmState> parseVmState(std::string_view text);

/// What the hypervisor says a guest is for; it decides whether synthetic work is allowed.
enum class Role : std::uint8_t { production, lab, shadow };
std::string_view name(Role role);

/// The role named by the value of the fw_cfg key; anything unknown or absent is production.
Role parseRole(std::string_view value);

/// A VM as its host's virtualization environment describes it.
struct Vm {
  Uuid uuid;
  std::string name;         ///< a label, untrusted
  std::string environment;  ///< the libvirt URI it belongs to
  VmState state = VmState::gone;
  Role role = Role::production;
  bool persistent = false;
  bool autostart = false;
  std::optional<std::uint32_t> vcpus;
  std::optional<std::uint32_t> vcpus_maximum;
  std::optional<std::uint64_t> memory_bytes;  ///< what the balloon leaves
  std::optional<std::uint64_t> memory_maximum_bytes;
  bool has_channel = false;                       ///< the echo channel is configured
  std::optional<std::uint32_t> balloon_period_s;  ///< 0: guest memory figures are stale
  bool has_guest_agent = false;                   ///< a channel for qemu-guest-agent is configured
  bool emulated = false;                          ///< without KVM

  bool operator==(const Vm&) const = default;
};

/// What the qemu-guest-agent in a VM says of its guest. Untrusted: bounded, well-formed UTF-8
/// without control characters.
struct GuestFacts {
  struct Filesystem {
    std::string mountpoint;
    std::string type;
    std::optional<std::uint64_t> total_bytes, used_bytes;

    bool operator==(const Filesystem&) const = default;
  };
  static constexpr std::size_t kMostFilesystems = 32;

  std::string os;  ///< "Debian GNU/Linux 12 (bookworm)"; empty: not said, like all texts here
  std::string kernel;
  std::string hostname;
  std::vector<Filesystem> filesystems;
  std::optional<std::uint32_t> vcpus_online;
  std::optional<std::uint32_t> disks;
  std::optional<double> load1;
  std::optional<Millis> clock_offset;  ///< the guest's clock less the host's
  Millis clock_error{0};               ///< the offset is known to within this

  bool operator==(const GuestFacts&) const = default;
};

/// How the daemon and the agent inside a VM get along.
struct AgentLink {
  enum class State : std::uint8_t { absent, connecting, connected, refused };
  State state = State::absent;
  std::string reason;  ///< why it is not connected, for a person
  std::string agent_version;
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;  ///< last echo taken
  std::optional<std::uint32_t> interval_ms;
  std::optional<Timestamp> last_echo;
  std::uint64_t echoes = 0;      ///< taken since the daemon started
  std::uint64_t duplicates = 0;  ///< dropped, since already stored
  std::uint64_t lost = 0;        ///< echoes that the guest's ring or the link lost
  std::uint64_t faults = 0;      ///< frames that were malformed, too large or too many
  std::map<std::string, std::string> sources;  ///< collector -> "on", or why it is off
  std::string role = {};    ///< what the guest believes it is for; empty: it did not say
  std::string caller = {};  ///< from where it called last, by vsock or TLS; empty: the VM's channel

  bool operator==(const AgentLink&) const = default;
};
/// Heard by the VM's own channel, which goes with it wherever it moves; an agent that calls may be
/// unable to reach the next host, or that host may not know its token.
inline bool goesAlong(const AgentLink& agent) {
  return agent.state == AgentLink::State::connected && agent.caller.empty();
}
std::string_view name(AgentLink::State state);

/// What a host has for its VMs, and how that is known.
struct HostCapacity {
  double cpus = 0;                 ///< usable cores, reserve taken off
  std::uint64_t memory_bytes = 0;  ///< usable bytes, reserve taken off
  std::string origin;              ///< "configuration", "cgroup PATH" or "machine"

  bool operator==(const HostCapacity&) const = default;
};

/// A hypervisor host.
struct Host {
  Uuid uuid;
  std::string name;
  bool self = false;  ///< the one this daemon runs on
  std::string cpu_model;
  std::uint32_t cpus_online = 0;
  std::uint64_t memory_bytes = 0;
  HostCapacity capacity;
  std::string kernel;
  std::string libvirt_version;
  std::string qemu_version;
  std::optional<bool> kvm = std::nullopt;  ///< guests can use KVM, as libvirt says

  bool operator==(const Host&) const = default;
};

}  // namespace virtseer
