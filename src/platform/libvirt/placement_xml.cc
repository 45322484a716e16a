#include "platform/libvirt/placement_xml.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "platform/libvirt/metadata_xml.h"
#include "platform/libvirt/unmovable_xml.h"
#include "platform/libvirt/xml_text.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kMaxDevices = 256;
constexpr std::size_t kMaxFeatures = 1024;
constexpr std::size_t kMaxCpuXmlBytes = 64 * 1024;

std::string printed(const pugi::xml_node& node) {
  if (!node) return {};
  std::ostringstream out;
  node.print(out, "", pugi::format_raw);
  auto text = std::move(out).str();
  return text.size() <= kMaxCpuXmlBytes ? text : std::string();
}

CpuDescription cpuOf(const pugi::xml_node& cpu) {
  CpuDescription out;
  out.model = boundedXml(cpu.child("model").text().get());
  for (const auto& feature : cpu.children("feature")) {
    const std::string_view policy = feature.attribute("policy").value();
    if (policy == "disable" || policy == "forbid" || policy == "optional") continue;
    out.features.push_back(xmlAttribute(feature, "name"));
    if (out.features.size() >= kMaxFeatures) break;
  }
  std::ranges::sort(out.features);
  const auto twice = std::ranges::unique(out.features);
  out.features.erase(twice.begin(), twice.end());
  return out;
}

DiskXml::Kind diskKind(std::string_view type) {
  if (type == "file") return DiskXml::Kind::file;
  if (type == "block") return DiskXml::Kind::block;
  if (type == "network") return DiskXml::Kind::network;
  if (type == "volume") return DiskXml::Kind::volume;
  return DiskXml::Kind::other;
}

DiskXml diskOf(const pugi::xml_node& disk) {
  const auto source = disk.child("source");
  DiskXml out;
  out.kind = diskKind(disk.attribute("type").value());
  out.target = xmlAttribute(disk.child("target"), "dev");
  out.driver = xmlAttribute(disk.child("driver"), "type");
  out.cdrom = xmlIs(disk, "device", "cdrom") || xmlIs(disk, "device", "floppy");
  out.read_only = disk.child("readonly") || xmlIs(disk, "device", "cdrom");
  out.shareable = disk.child("shareable");
  switch (out.kind) {
    case DiskXml::Kind::file:
      out.source = xmlPath(source.attribute("file").value());
      break;
    case DiskXml::Kind::block:
      out.source = xmlPath(source.attribute("dev").value());
      break;
    case DiskXml::Kind::network:
      out.protocol = xmlAttribute(source, "protocol");
      out.source = xmlPath(source.attribute("name").value());
      break;
    case DiskXml::Kind::volume:
      out.source = xmlAttribute(source, "pool");
      out.volume = xmlAttribute(source, "volume");
      break;
    case DiskXml::Kind::other:
      break;
  }
  out.empty = !source || (out.source.empty() && out.kind != DiskXml::Kind::other);
  if (const auto mirror = disk.child("mirror"))
    out.mirror = mirror.attribute("job") ? xmlAttribute(mirror, "job") : "copy";
  return out;
}

InterfaceXml interfaceOf(const pugi::xml_node& interface) {
  const auto source = interface.child("source");
  InterfaceXml out;
  out.type = xmlAttribute(interface, "type");
  if (out.type == "network") out.network = xmlAttribute(source, "network");
  if (out.type == "bridge") out.bridge = xmlAttribute(source, "bridge");
  if (out.type == "direct") out.device = xmlAttribute(source, "dev");
  // A bridge of Open vSwitch is no bridge to the kernel.
  if (xmlIs(interface.child("virtualport"), "type", "openvswitch"))
    out.device = std::exchange(out.bridge, {});
  return out;
}

std::vector<std::string> bootFilesOf(const pugi::xml_node& os) {
  std::vector<std::string> out;
  for (const char* kind : {"kernel", "initrd", "dtb", "loader"}) {
    if (auto path = xmlPath(os.child(kind).text().get()); path.starts_with('/'))
      out.push_back(std::move(path));
  }
  return out;
}

}  // namespace

std::optional<PlacementXml> parsePlacementXml(std::string_view xml) {
  pugi::xml_document document;
  if (!loadXml(document, xml)) return std::nullopt;
  const auto domain = document.child("domain");
  const auto uuid = Uuid::parse(domain.child("uuid").text().get());
  const auto facts = parseDomainXml(xml);
  if (!domain || !uuid || !facts) return std::nullopt;
  const auto devices = domain.child("devices");
  const auto type = domain.child("os").child("type");
  const auto cpu = domain.child("cpu");
  PlacementXml out;
  out.uuid = *uuid;
  out.name = boundedXml(domain.child("name").text().get());
  out.role = facts->role;
  out.vcpus = facts->vcpus.value_or(0);
  out.memory_bytes = facts->memory_maximum_bytes.value_or(0);
  out.cpu_mode = parseCpuMode(cpu.attribute("mode").value());
  out.cpu = cpuOf(cpu);
  out.cpu_xml = printed(cpu);
  out.machine = xmlAttribute(type, "machine");
  out.arch = xmlAttribute(type, "arch");
  out.virt_type = xmlAttribute(domain, "type");
  out.emulator = xmlPath(devices.child("emulator").text().get());
  for (const auto& disk : devices.children("disk")) {
    if (out.disks.size() < kMaxDevices) out.disks.push_back(diskOf(disk));
  }
  for (const auto& interface : devices.children("interface")) {
    if (out.interfaces.size() < kMaxDevices) out.interfaces.push_back(interfaceOf(interface));
  }
  out.boot_files = bootFilesOf(domain.child("os"));
  out.unmovable = unmovableOf(domain);
  out.managed_by = managerOf(domain.child("metadata"));
  out.policy = policyOf(domain.child("metadata"));
  return out;
}

std::optional<HostModel> parseHostModel(std::string_view domain_capabilities_xml) {
  pugi::xml_document document;
  if (!loadXml(document, domain_capabilities_xml)) return std::nullopt;
  const auto capabilities = document.child("domainCapabilities");
  for (const auto& mode : capabilities.child("cpu").children("mode")) {
    if (!xmlIs(mode, "name", "host-model") || !xmlIs(mode, "supported", "yes")) continue;
    HostModel out;
    out.cpu = cpuOf(mode);
    pugi::xml_document made;
    auto cpu = made.append_child("cpu");
    cpu.append_attribute("mode").set_value("custom");
    cpu.append_attribute("match").set_value("exact");
    for (const auto& child : mode.children()) {
      if (std::string_view(child.name()) == "model" || std::string_view(child.name()) == "feature")
        cpu.append_copy(child);
    }
    out.xml = printed(cpu);
    return out;
  }
  return std::nullopt;
}

CpuDescription parseCpuXml(std::string_view xml) {
  pugi::xml_document document;
  if (!loadXml(document, xml)) return {};
  return cpuOf(document.child("cpu"));
}

std::vector<std::string> parseMachineTypes(std::string_view capabilities_xml) {
  static constexpr std::size_t kMaxMachines = 4096;
  pugi::xml_document document;
  std::vector<std::string> out;
  if (!loadXml(document, capabilities_xml)) return out;
  const auto add = [&](const pugi::xml_node& parent) {
    for (const auto& machine : parent.children("machine")) {
      if (out.size() >= kMaxMachines) return;
      const auto canonical = machine.attribute("canonical");
      out.push_back(boundedXml(canonical ? canonical.value() : machine.text().get()));
    }
  };
  for (const auto& guest : document.child("capabilities").children("guest")) {
    const auto arch = guest.child("arch");
    add(arch);
    for (const auto& domain : arch.children("domain")) add(domain);
  }
  std::ranges::sort(out);
  const auto twice = std::ranges::unique(out);
  out.erase(twice.begin(), twice.end());
  return out;
}

std::optional<PoolXml> parsePoolXml(std::string_view xml) {
  pugi::xml_document document;
  if (!loadXml(document, xml)) return std::nullopt;
  const auto pool = document.child("pool");
  if (!pool) return std::nullopt;
  PoolXml out;
  out.type = xmlAttribute(pool, "type");
  out.name = boundedXml(pool.child("name").text().get());
  out.target = xmlPath(pool.child("target").child("path").text().get());
  out.source = boundedXml(pool.child("source").child("name").text().get());
  return out;
}

}  // namespace virtseer::platform
