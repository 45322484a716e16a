#include "platform/libvirt/enroll_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <pugixml.hpp>
#include <sstream>

#include "platform/libvirt/metadata_xml.h"
#include "platform/libvirt/xml_text.h"
#include "virtseer/echo/wire.h"

namespace virtseer::platform {

namespace {

/// Of a virtio-serial controller whose XML does not say (libvirt, formatdomain, Controllers).
constexpr unsigned kUsualPorts = 31;

unsigned numberOf(const pugi::xml_node& node, const char* attribute, unsigned otherwise) {
  return parseXmlNumber<unsigned>(node.attribute(attribute).value()).value_or(otherwise);
}

/// Ports that are left on each controller, by its index. Port 0 is kept for a console.
std::map<unsigned, int> freePorts(const pugi::xml_node& devices) {
  std::map<unsigned, int> out;
  for (const auto& controller : devices.children("controller"))
    if (xmlIs(controller, "type", "virtio-serial"))
      out[numberOf(controller, "index", 0)] =
          static_cast<int>(std::min(numberOf(controller, "ports", kUsualPorts), kUsualPorts)) - 1;
  for (const char* kind : {"channel", "console"})
    for (const auto& device : devices.children(kind)) {
      const auto address = device.child("address");
      if (!xmlIs(address, "type", "virtio-serial") || numberOf(address, "port", 0) == 0) continue;
      const auto controller = out.find(numberOf(address, "controller", 0));
      if (controller != out.end()) --controller->second;
    }
  return out;
}

bool hasFreePort(const pugi::xml_node& devices) {
  return std::ranges::any_of(freePorts(devices), [](const auto& each) { return each.second > 0; });
}

/// A second port of the same name would keep QEMU from starting.
bool isNameTaken(const pugi::xml_node& devices) {
  for (const auto& channel : devices.children("channel"))
    if (xmlIs(channel.child("target"), "name", echo::kChannelName)) return true;
  return false;
}

}  // namespace

std::optional<EnrollXml> parseEnrollXml(std::string_view xml) {
  pugi::xml_document document;
  if (!loadXml(document, xml)) return std::nullopt;
  const auto domain = document.child("domain");
  if (!domain) return std::nullopt;
  const auto devices = domain.child("devices");
  EnrollXml out;
  out.name = boundedXml(domain.child("name").text().get());
  out.machine = xmlAttribute(domain.child("os").child("type"), "machine");
  if (const auto channel = findChannel(devices, echo::kChannelName)) {
    std::ostringstream text;
    channel.print(text, "", pugi::format_raw);
    out.channel = text.str();
    out.side.channel = true;
  } else {
    out.side.name_taken = isNameTaken(devices);
  }
  out.side.balloon_period_s = balloonPeriodOf(devices);
  out.side.vsock = static_cast<bool>(devices.child("vsock"));
  out.side.port_free = hasFreePort(devices);
  out.metadata = policyOf(domain.child("metadata"));
  out.managed_by = managerOf(domain.child("metadata"));
  return out;
}

std::string echoChannelXml() {
  return fmt::format("<channel type='unix'><target type='virtio' name='{}'/></channel>",
                     echo::kChannelName);
}

}  // namespace virtseer::platform
