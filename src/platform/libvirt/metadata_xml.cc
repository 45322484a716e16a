#include "platform/libvirt/metadata_xml.h"

#include <fmt/format.h>

#include "platform/libvirt/xml_text.h"

namespace virtseer::platform {

namespace {

constexpr std::string_view kNamespace = "https://virtseer.org/ns/1";
constexpr std::size_t kMaxShownBytes = 40;

/// The part of a name behind its prefix.
std::string_view localName(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const auto colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

/// What the prefix of a node's name stands for, there or above.
std::string_view namespaceOf(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const auto colon = name.find(':');
  std::string key = "xmlns";
  if (colon != std::string_view::npos) key.append(":").append(name.substr(0, colon));
  for (auto at = node; at; at = at.parent()) {
    if (const auto found = at.attribute(key.c_str())) return found.value();
  }
  return {};
}

std::string shown(std::string_view text) {
  return printable(text.substr(0, kMaxShownBytes));
}

bool readBool(std::string_view text, std::optional<bool>& out) {
  const bool yes = text == "yes" || text == "true", no = text == "no" || text == "false";
  if (yes || no) out = yes;
  return yes || no;
}

bool readPriority(std::string_view text, std::optional<int>& out) {
  const auto number = parseXmlNumber<int>(text);
  if (!number || *number < 0 || *number > 100) return false;
  out = number;
  return true;
}

/// False if the value cannot be taken; `known` tells whether the key can.
bool readKey(std::string_view key, std::string_view value, PolicyOverrides& out, bool& known) {
  known = true;
  if (key == "mode") {
    out.mode = parseMode(value);
    return out.mode.has_value();
  }
  if (key == "priority") return readPriority(value, out.priority);
  if (key == "excluded") return readBool(value, out.excluded);
  if (key == "migrate") return readBool(value, out.migrate);
  if (key == "copy_storage") return readBool(value, out.copy_storage);
  if (key == "return_trip") return readBool(value, out.return_trip);
  if (key == "unlocked_disks") return readBool(value, out.unlocked_disks);
  known = key == "enroll";
  return false;
}

void readAttributes(const pugi::xml_node& policy, PolicyMetadata& out) {
  for (const auto& attribute : policy.attributes()) {
    const std::string_view key = attribute.name();
    if (key == "xmlns" || key.starts_with("xmlns:")) continue;
    bool known = false;
    if (key == "enroll" && readBool(attribute.value(), out.enroll)) continue;
    if (readKey(key, attribute.value(), out.set, known) || !out.fault.empty()) continue;
    out.fault = known ? fmt::format("{}=\"{}\" is not understood", key, shown(attribute.value()))
                      : fmt::format("there is no key \"{}\"", shown(key));
  }
}

}  // namespace

std::optional<PolicyMetadata> policyOf(const pugi::xml_node& metadata) {
  std::optional<PolicyMetadata> out;
  for (const auto& vm : metadata.children()) {
    if (localName(vm) != "vm" || namespaceOf(vm) != kNamespace) continue;
    for (const auto& policy : vm.children()) {
      if (localName(policy) != "policy" || namespaceOf(policy) != kNamespace) continue;
      if (out && out->fault.empty()) out->fault = "there is more than one policy element";
      if (!out) out.emplace();
      readAttributes(policy, *out);
    }
  }
  return out;
}

std::string managerOf(const pugi::xml_node& metadata) {
  struct Manager {
    std::string_view prefix;
    const char* name;
  };
  static constexpr Manager kManagers[] = {
      {"http://openstack.org/xmlns/libvirt/nova/", "OpenStack Nova"},
      {"http://ovirt.org/vm/", "oVirt"},
      {"http://opennebula.org/xmlns/libvirt/", "OpenNebula"},
      {"http://kubevirt.io", "KubeVirt"},
  };
  for (const auto& element : metadata.children()) {
    const auto space = namespaceOf(element);
    for (const auto& manager : kManagers) {
      if (space.starts_with(manager.prefix)) return manager.name;
    }
  }
  return {};
}

}  // namespace virtseer::platform
