#pragma once

#include <charconv>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "base/text.h"
#include "platform/libvirt/domain_xml.h"

namespace virtseer::platform {

// Reading XML that may be hostile: sizes are bounded, texts come out as well-formed UTF-8.

inline constexpr std::size_t kMaxXmlTextBytes = 255;
inline constexpr std::size_t kMaxXmlPathBytes = 4096;

inline bool loadXml(pugi::xml_document& document, std::string_view xml) {
  return xml.size() <= kMaxXmlBytes &&
         document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
}

template <class T>
std::optional<T> parseXmlNumber(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The size in a node such as <memory unit='KiB'>1024</memory>.
inline std::optional<std::uint64_t> xmlMemory(const pugi::xml_node& node) {
  const auto value = parseXmlNumber<std::uint64_t>(node.text().get());
  if (!value) return std::nullopt;
  return scaledBytes(*value, node.attribute("unit").value());
}

inline std::string boundedXml(const char* text, std::size_t bytes = kMaxXmlTextBytes) {
  return toUtf8(std::string_view(text).substr(0, bytes));
}
inline std::string xmlAttribute(const pugi::xml_node& node, const char* name) {
  return boundedXml(node.attribute(name).value());
}
/// Empty if it is longer than a path may be: a part of a path is another path.
inline std::string xmlPath(const char* text) {
  const std::string_view path(text);
  return path.size() < kMaxXmlPathBytes ? std::string(path) : std::string();
}
inline bool xmlIs(const pugi::xml_node& node, const char* attribute, std::string_view value) {
  return node.attribute(attribute).value() == value;
}

/// The UNIX-socket virtio channel of this name; null: none. In domain_xml.cc.
pugi::xml_node findChannel(const pugi::xml_node& devices, std::string_view name);
/// The balloon's reporting period; absent: no balloon, 0: it does not report. In domain_xml.cc.
std::optional<std::uint32_t> balloonPeriodOf(const pugi::xml_node& devices);

}  // namespace virtseer::platform
