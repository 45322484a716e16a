#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/machine.h"

namespace virtseer::platform {

/// What is read from a domain's XML. Names and texts in it may be hostile: nothing but these typed
/// values leaves the parser.
struct DomainFacts {
  std::optional<Uuid> uuid;
  Role role = Role::production;  ///< of the fw_cfg entry opt/org.virtseer/role
  bool has_channel = false;      ///< a UNIX-socket virtio channel org.virtseer.echo.0 is defined
  std::optional<std::uint32_t> balloon_period_s;  ///< absent: no balloon; 0: it does not report
  bool has_guest_agent = false;  ///< a virtio channel org.qemu.guest_agent.0 is defined
  bool emulated = false;         ///< the domain's type is "qemu": without KVM
  std::optional<std::uint32_t> vcpus;
  std::optional<std::uint32_t> vcpus_maximum;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> memory_maximum_bytes;

  bool operator==(const DomainFacts&) const = default;
};

/// XML longer than this is not looked at.
inline constexpr std::size_t kMaxXmlBytes = 4 * 1024 * 1024;

/// nullopt if it is no domain XML.
std::optional<DomainFacts> parseDomainXml(std::string_view xml);

/// What is read from virConnectGetCapabilities().
struct CapabilityFacts {
  std::optional<Uuid> uuid;
  std::string cpu_model;                   ///< empty: not said
  std::uint64_t memory_bytes = 0;          ///< sum of the NUMA cells; 0: not said
  std::uint32_t cpus = 0;                  ///< of all NUMA cells
  std::optional<bool> kvm = std::nullopt;  ///< absent: no guest is of QEMU

  bool operator==(const CapabilityFacts&) const = default;
};

std::optional<CapabilityFacts> parseCapabilitiesXml(std::string_view xml);

/// `value` of libvirt's memory `unit` ("KiB", "MB", "b"; "" is KiB) in bytes; nullopt for an
/// unknown unit or a size beyond 64 bits.
std::optional<std::uint64_t> scaledBytes(std::uint64_t value, std::string_view unit);

}  // namespace virtseer::platform
