#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "virtseer/uuid.h"

namespace virtseer {

/// What virtseer may do with a VM by itself, from least to most.
enum class Mode : std::uint8_t {
  observe = 0,    ///< watches and says what it would do
  suggest = 1,    ///< asks a person
  automatic = 2,  ///< acts; written "auto"
};
std::string_view name(Mode mode);
std::optional<Mode> parseMode(std::string_view text);

/// What one source of policy says; absent means it says nothing.
struct PolicyOverrides {
  std::optional<Mode> mode;
  std::optional<bool> excluded;        ///< never moved by virtseer
  std::optional<int> priority;         ///< 0 to 100; higher stays where it is for longer
  std::optional<bool> migrate;         ///< live migration
  std::optional<bool> copy_storage;    ///< migration that copies disks
  std::optional<bool> return_trip;     ///< the way back after a failed verification
  std::optional<bool> unlocked_disks;  ///< `auto` on shared disks without a lock manager

  bool operator==(const PolicyOverrides&) const = default;
};

/// The policy element of a domain's libvirt metadata, as its parser left it.
struct PolicyMetadata {
  PolicyOverrides set;
  std::string fault;  ///< why it could not be read in full; such a VM is only observed, not moved
  /// False: nobody enrolls the VM by virtseer. No other source has a word on it, and it stays here.
  std::optional<bool> enroll = std::nullopt;

  bool operator==(const PolicyMetadata&) const = default;
};

/// One rule of the configuration: for the VM with this UUID, or those whose name matches.
struct PolicyRule {
  std::optional<Uuid> vm;
  std::string name_pattern;  ///< `*` and `?`; used where `vm` is absent
  PolicyOverrides set;

  bool operator==(const PolicyRule&) const = default;
};

/// What the configuration grants. Later rules win over earlier ones and over `defaults`.
struct PolicyConfiguration {
  PolicyOverrides defaults;
  std::vector<PolicyRule> rules;
  bool stop = false;  ///< the global stop: nothing is carried out, everything is still said

  bool operator==(const PolicyConfiguration&) const = default;
};

/// What holds for one VM.
struct Policy {
  Mode mode = Mode::observe;
  bool excluded = false;
  int priority = 50;
  bool migrate = true;
  bool copy_storage = false;
  bool return_trip = true;
  bool unlocked_disks = false;

  bool operator==(const Policy&) const = default;
};

/// One word of one source in the order of resolution, and whether it counted.
struct PolicyLine {
  std::string source;  ///< "built-in", "configuration", "rule 2 (db-*)", "domain metadata", "stop"
  std::string key;
  std::string value;
  bool taken = false;
  std::string note;  ///< why it was not taken, or what it replaced

  bool operator==(const PolicyLine&) const = default;
};

/// The policy of one VM and how it came about, in order.
struct ResolvedPolicy {
  Policy policy;
  bool stop = false;  ///< the global stop holds
  std::vector<PolicyLine> lines;

  bool operator==(const ResolvedPolicy&) const = default;
};

}  // namespace virtseer
