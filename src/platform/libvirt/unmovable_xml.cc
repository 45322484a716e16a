#include "platform/libvirt/unmovable_xml.h"

#include <fmt/format.h>

#include "platform/libvirt/xml_text.h"

namespace virtseer::platform {

namespace {

/// "0x0000" as libvirt writes it, without the prefix.
std::string hex(const pugi::xml_node& address, const char* name) {
  auto text = xmlAttribute(address, name);
  return text.starts_with("0x") ? text.substr(2) : text;
}

/// libvirt unplugs it for the move and plugs another in there.
bool isTeamed(const pugi::xml_node& device) {
  return xmlIs(device.child("teaming"), "type", "transient");
}

std::string hostDevice(const pugi::xml_node& device) {
  const auto type = xmlAttribute(device, "type");
  const auto address = device.child("source").child("address");
  if (type == "pci")
    return fmt::format("host device {}:{}:{}.{}", hex(address, "domain"), hex(address, "bus"),
                       hex(address, "slot"), hex(address, "function"));
  if (type == "mdev") return "mediated device " + xmlAttribute(address, "uuid");
  return "host device (" + (type.empty() ? xmlAttribute(device, "mode") : type) + ")";
}

void addDisks(const pugi::xml_node& devices, std::vector<std::string>& out) {
  for (const auto& disk : devices.children("disk")) {
    const auto type = xmlAttribute(disk, "type");
    if (type == "nvme" || type == "vhostuser" || type == "vhostvdpa")
      out.push_back(fmt::format("disk {} ({})", xmlAttribute(disk.child("target"), "dev"), type));
  }
}

void addInterfaces(const pugi::xml_node& devices, std::vector<std::string>& out) {
  for (const auto& interface : devices.children("interface")) {
    const auto type = xmlAttribute(interface, "type");
    if ((type == "hostdev" || type == "vdpa") && !isTeamed(interface))
      out.push_back("network device of the host (" +
                    xmlAttribute(interface.child("mac"), "address") + ")");
  }
}

void addMemory(const pugi::xml_node& devices, std::vector<std::string>& out) {
  for (const auto& memory : devices.children("memory")) {
    const auto model = xmlAttribute(memory, "model");
    if (model == "nvdimm" || model == "virtio-pmem")
      out.push_back("memory module in a file of the host (" + model + ")");
  }
  for (const auto& memory : devices.children("shmem"))
    out.push_back("memory shared with other processes (" + xmlAttribute(memory, "name") + ")");
}

}  // namespace

std::vector<std::string> unmovableOf(const pugi::xml_node& domain) {
  const auto devices = domain.child("devices");
  std::vector<std::string> out;
  for (const auto& device : devices.children("hostdev")) {
    if (!isTeamed(device)) out.push_back(hostDevice(device));
  }
  addInterfaces(devices, out);
  addDisks(devices, out);
  addMemory(devices, out);
  for (const auto& folder : devices.children("filesystem"))
    out.push_back("folder of the host (" + xmlAttribute(folder.child("target"), "dir") + ")");
  // An emulated TPM's state travels with the memory; the host's own does not.
  for (const auto& tpm : devices.children("tpm")) {
    if (xmlIs(tpm.child("backend"), "type", "passthrough")) out.emplace_back("TPM of the host");
  }
  for (const char* kind : {"serial", "parallel", "console"}) {
    for (const auto& port : devices.children(kind)) {
      if (xmlIs(port, "type", "dev"))
        out.push_back(fmt::format("{} port of the host ({})", kind,
                                  xmlAttribute(port.child("source"), "path")));
    }
  }
  for (const auto& input : devices.children("input")) {
    if (xmlIs(input, "type", "passthrough") || xmlIs(input, "type", "evdev"))
      out.emplace_back("input device of the host");
  }
  if (const auto security = domain.child("launchSecurity"))
    out.push_back("encrypted memory (" + xmlAttribute(security, "type") + ")");
  if (out.size() > kMaxUnmovable) out.resize(kMaxUnmovable);
  return out;
}

}  // namespace virtseer::platform
