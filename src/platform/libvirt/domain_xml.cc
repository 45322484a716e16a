#include "platform/libvirt/domain_xml.h"

#include <pugixml.hpp>
#include <string>

#include "platform/libvirt/xml_text.h"
#include "virtseer/echo/wire.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kMaxModelBytes = 200;
constexpr std::string_view kGuestAgentChannel = "org.qemu.guest_agent.0";

Role roleOf(const pugi::xml_node& domain) {
  for (const auto& sysinfo : domain.children("sysinfo")) {
    if (std::string_view(sysinfo.attribute("type").value()) != "fwcfg") continue;
    for (const auto& entry : sysinfo.children("entry")) {
      if (entry.attribute("name").value() == echo::kRoleKey) return parseRole(entry.text().get());
    }
  }
  return Role::production;
}

bool hasChannel(const pugi::xml_node& devices, std::string_view name) {
  return static_cast<bool>(findChannel(devices, name));
}

}  // namespace

pugi::xml_node findChannel(const pugi::xml_node& devices, std::string_view name) {
  for (const auto& channel : devices.children("channel")) {
    const auto target = channel.child("target");
    if (xmlIs(channel, "type", "unix") && xmlIs(target, "type", "virtio") &&
        xmlIs(target, "name", name))
      return channel;
  }
  return {};
}

std::optional<std::uint32_t> balloonPeriodOf(const pugi::xml_node& devices) {
  const auto balloon = devices.child("memballoon");
  if (!balloon || std::string_view(balloon.attribute("model").value()) == "none")
    return std::nullopt;
  return parseXmlNumber<std::uint32_t>(balloon.child("stats").attribute("period").value())
      .value_or(0);
}

std::optional<std::uint64_t> scaledBytes(std::uint64_t value, std::string_view unit) {
  constexpr std::string_view kPrefixes = "kmgtpe";
  std::uint64_t factor = 1;
  if (unit.empty()) unit = "KiB";
  if (unit != "b" && unit != "bytes") {
    const char first = static_cast<char>(unit.front() | 0x20);
    const auto power = kPrefixes.find(first);
    const auto rest = unit.substr(1);
    const bool decimal = rest == "B";
    if (power == std::string_view::npos || !(decimal || rest.empty() || rest == "iB"))
      return std::nullopt;
    for (std::size_t i = 0; i <= power; ++i) factor *= decimal ? 1000 : 1024;
  }
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(value, factor, &bytes)) return std::nullopt;
  return bytes;
}

std::optional<DomainFacts> parseDomainXml(std::string_view xml) {
  pugi::xml_document document;
  if (!loadXml(document, xml)) return std::nullopt;
  const auto domain = document.child("domain");
  if (!domain) return std::nullopt;
  const auto devices = domain.child("devices");
  const auto vcpu = domain.child("vcpu");
  DomainFacts facts;
  facts.uuid = Uuid::parse(domain.child("uuid").text().get());
  facts.role = roleOf(domain);
  facts.has_channel = hasChannel(devices, echo::kChannelName);
  facts.has_guest_agent = hasChannel(devices, kGuestAgentChannel);
  facts.emulated = xmlIs(domain, "type", "qemu");
  facts.balloon_period_s = balloonPeriodOf(devices);
  facts.vcpus_maximum = parseXmlNumber<std::uint32_t>(vcpu.text().get());
  facts.vcpus = parseXmlNumber<std::uint32_t>(vcpu.attribute("current").value());
  if (!facts.vcpus) facts.vcpus = facts.vcpus_maximum;
  facts.memory_maximum_bytes = xmlMemory(domain.child("memory"));
  facts.memory_bytes = xmlMemory(domain.child("currentMemory"));
  if (!facts.memory_bytes) facts.memory_bytes = facts.memory_maximum_bytes;
  return facts;
}

std::optional<CapabilityFacts> parseCapabilitiesXml(std::string_view xml) {
  pugi::xml_document document;
  if (!loadXml(document, xml)) return std::nullopt;
  const auto host = document.child("capabilities").child("host");
  if (!host) return std::nullopt;
  CapabilityFacts facts;
  facts.uuid = Uuid::parse(host.child("uuid").text().get());
  facts.cpu_model =
      std::string(host.child("cpu").child("model").text().get()).substr(0, kMaxModelBytes);
  for (const auto& cell : host.child("topology").child("cells").children("cell")) {
    facts.memory_bytes += xmlMemory(cell.child("memory")).value_or(0);
    facts.cpus +=
        parseXmlNumber<std::uint32_t>(cell.child("cpus").attribute("num").value()).value_or(0);
  }
  for (const auto& guest : document.child("capabilities").children("guest"))
    for (const auto& domain : guest.child("arch").children("domain")) {
      if (xmlIs(domain, "type", "qemu") && !facts.kvm) facts.kvm = false;
      if (xmlIs(domain, "type", "kvm")) facts.kvm = true;
    }
  return facts;
}

}  // namespace virtseer::platform
