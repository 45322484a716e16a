#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/host_state.h"

namespace virtseer::platform {

/// A disk of a domain's XML.
struct DiskXml {
  enum class Kind : std::uint8_t { file, block, network, other };
  Kind kind = Kind::other;
  std::string target;    ///< "vda"
  std::string source;    ///< path, or `pool/image` of a network disk
  std::string protocol;  ///< of a network disk: "rbd"
  bool read_only = false;
  bool empty = false;                ///< a drive without a medium
  bool cdrom = false;                ///< or a floppy
  std::string driver;                ///< "raw", "qcow2"
  std::vector<std::string> backing;  ///< files below a copy-on-write image, as libvirt names them

  bool operator==(const DiskXml&) const = default;
};

/// A network interface of a domain's XML.
struct InterfaceXml {
  std::string network;  ///< libvirt's network; empty: none
  std::string bridge;   ///< the host's bridge; empty: none
  std::string type;     ///< "network", "bridge", "user", ...

  bool operator==(const InterfaceXml&) const = default;
};

/// What a domain's XML says about where it can run. Texts are hostile; bounded and well-formed
/// UTF-8.
struct PlacementXml {
  Uuid uuid;
  std::string name;
  Role role = Role::production;
  std::uint32_t vcpus = 0;
  std::uint64_t memory_bytes = 0;  ///< the most it may have
  CpuMode cpu_mode = CpuMode::custom;
  CpuDescription cpu;
  std::string cpu_xml;    ///< the <cpu> element itself; empty: none
  std::string machine;    ///< "pc-q35-7.2"
  std::string arch;       ///< "x86_64"
  std::string virt_type;  ///< "kvm", "qemu"
  std::string emulator;
  std::vector<DiskXml> disks;
  std::vector<InterfaceXml> interfaces;
  std::vector<std::string> unmovable;
  std::string managed_by;
  std::optional<PolicyMetadata> policy;

  bool operator==(const PlacementXml&) const = default;
};

/// nullopt if it is no domain XML.
std::optional<PlacementXml> parsePlacementXml(std::string_view xml);

/// What is read from virConnectGetDomainCapabilities().
struct DomainCapabilitiesXml {
  std::string machine;  ///< canonical
  CpuDescription cpu;   ///< of host-model: what guests can be given
  bool operator==(const DomainCapabilitiesXml&) const = default;
};
std::optional<DomainCapabilitiesXml> parseDomainCapabilitiesXml(std::string_view xml);

/// A kind of guest of virConnectGetCapabilities().
struct GuestKind {
  std::string arch;
  std::string emulator;
  std::vector<std::string> virt_types;
  std::vector<std::string> machines;  ///< canonical names, sorted

  bool operator==(const GuestKind&) const = default;
};
std::vector<GuestKind> parseGuestKinds(std::string_view capabilities_xml);

/// A storage pool's XML.
struct PoolXml {
  std::string type;  ///< "dir", "fs", "netfs", "logical", "rbd", ...
  std::string name;
  std::string target;  ///< path; empty: none
  std::string source;  ///< name of what it is on
  std::uint64_t available_bytes = 0;

  bool operator==(const PoolXml&) const = default;
};
std::optional<PoolXml> parsePoolXml(std::string_view xml);

}  // namespace virtseer::platform
