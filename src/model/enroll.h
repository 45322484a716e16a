#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/operation.h"
#include "model/policy.h"
#include "virtseer/uuid.h"

namespace virtseer {

/// Which of a VM's two definitions a change is made to.
struct Affects {
  bool live = false;    ///< the VM that runs
  bool config = false;  ///< what it starts with the next time

  bool any() const { return live || config; }
  bool operator==(const Affects&) const = default;
};

/// One definition of a VM, as far as hearing its guest needs it.
struct EnrollSide {
  bool channel = false;                           ///< the echo channel is there
  bool port_free = true;                          ///< a virtio-serial controller has room for it
  std::optional<std::uint32_t> balloon_period_s;  ///< absent: no balloon; 0: it does not report
  bool vsock = false;                             ///< it has a vsock device
  bool name_taken = false;  ///< a channel of that name is there that the daemon cannot open

  bool operator==(const EnrollSide&) const = default;
};

/// What enrolling a VM has to know, asked of libvirt just now.
struct EnrollFacts {
  Uuid vm;
  std::string name;     ///< a label, untrusted
  std::string driver;   ///< libvirt's word: "QEMU", "LXC"
  std::string machine;  ///< "pc-q35-7.2"; empty: unknown
  Presence presence;
  std::optional<EnrollSide> live;    ///< absent: it is off
  std::optional<EnrollSide> config;  ///< absent: it is transient
  std::optional<PolicyMetadata> metadata;
  std::string managed_by;  ///< another manager, by the metadata it leaves; empty: none known
  bool saved = false;      ///< it is off, and wakes up as it was saved (managed save)
  /// An operation of virtseer's own that has not ended: which may be between two jobs of libvirt,
  /// with a definition in its hands. Not libvirt's; empty: none.
  std::string operation;

  bool operator==(const EnrollFacts&) const = default;
};

/// The way by which a guest's agent reaches the daemon.
enum class EchoWay : std::uint8_t { channel, vsock, tls };
std::string_view name(EchoWay way);
std::optional<EchoWay> parseEchoWay(std::string_view text);

/// What a person asks for.
struct EnrollWish {
  bool remove = false;  ///< take it back
  EchoWay way = EchoWay::channel;
  std::string address;  ///< tls: where the guest reaches this host, "ADDRESS:PORT"; vsock: "PORT"
  bool listens = true;  ///< this host's daemon takes calls of agents by that way
  std::uint32_t balloon_period_s = 0;  ///< 0: leave the balloon alone
  /// Change its definition alone: a running VM has it once it was shut off and started again.
  bool next_start = false;
};

/// One thing that enrolling does.
struct EnrollStep {
  enum class Kind : std::uint8_t { channel, balloon, token };
  Kind kind = Kind::channel;
  Affects affects;   ///< where something is to be done; of a token: none
  bool done = true;  ///< it is as it should be: nothing was to be done, or it has been done
  std::string words;

  bool operator==(const EnrollStep&) const = default;
};
std::string_view name(EnrollStep::Kind kind);

/// What enrolling a VM takes: whether it may be, and what there is to do.
struct EnrollPlan {
  std::vector<Check> checks;
  std::vector<EnrollStep> steps;
  std::vector<std::string> notes;  ///< what a person should know besides

  bool fits() const;
  /// The checks that do not hold, in words; empty if all do.
  std::string refusal() const;
  bool operator==(const EnrollPlan&) const = default;
};

/// How enrolling went, or would go.
struct EnrollReport {
  Uuid vm;
  std::string vm_name;
  bool dry_run = false;
  bool remove = false;
  EchoWay way = EchoWay::channel;
  bool changed = false;  ///< something was done, or would be
  EnrollPlan plan;
  std::string token_file;          ///< where the guest's token is kept; empty: it needs none
  std::vector<std::string> guest;  ///< what is left to do in the guest
  std::string undo;                ///< the command that takes it back; empty: none

  bool operator==(const EnrollReport&) const = default;
};

}  // namespace virtseer
