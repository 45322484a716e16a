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
  enum class Kind : std::uint8_t { file, block, network, volume, other };
  Kind kind = Kind::other;
  std::string target;    ///< "vda"
  std::string source;    ///< path; `pool/image` of a network disk; pool of a volume
  std::string volume;    ///< of a volume: its name
  std::string protocol;  ///< of a network disk: "rbd"
  bool read_only = false;
  bool shareable = false;  ///< several VMs may write to it at once
  bool empty = false;      ///< a drive without a medium
  bool cdrom = false;      ///< or a floppy
  std::string driver;      ///< "raw", "qcow2"
  std::string mirror;      ///< a block job that shows in the XML: "copy"; empty: none

  bool operator==(const DiskXml&) const = default;
};

/// A network interface of a domain's XML.
struct InterfaceXml {
  std::string network;  ///< libvirt's network; empty: none
  std::string bridge;   ///< the host's bridge; empty: none
  std::string device;   ///< another device of the host; empty: none
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
  std::vector<std::string> boot_files;  ///< kernel, initramfs, firmware: read at each start
  std::vector<std::string> unmovable;   ///< in words, each a reason
  std::string managed_by;
  std::optional<PolicyMetadata> policy;

  bool operator==(const PlacementXml&) const = default;
};

/// nullopt if it is no domain XML.
std::optional<PlacementXml> parsePlacementXml(std::string_view xml);

/// The processor of virConnectGetDomainCapabilities()'s host-model, which guests can be given.
struct HostModel {
  CpuDescription cpu;  ///< the model's own features are not listed
  std::string xml;     ///< as a <cpu> element, for virConnectBaselineHypervisorCPU()

  bool operator==(const HostModel&) const = default;
};
std::optional<HostModel> parseHostModel(std::string_view domain_capabilities_xml);

/// A <cpu> element as libvirt writes it; features that are switched off are left out.
CpuDescription parseCpuXml(std::string_view xml);

/// The canonical machine types of virConnectGetCapabilities(), sorted.
std::vector<std::string> parseMachineTypes(std::string_view capabilities_xml);

/// A storage pool's XML.
struct PoolXml {
  std::string type;  ///< "dir", "fs", "netfs", "logical", "rbd", ...
  std::string name;
  std::string target;  ///< path; empty: none
  std::string source;  ///< name of what it is on

  bool operator==(const PoolXml&) const = default;
};
std::optional<PoolXml> parsePoolXml(std::string_view xml);

}  // namespace virtseer::platform
