#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "virtseer/echo/wire.h"

namespace virtseer::echo {

/// Stands for all sources among the collectors of a Settings frame.
inline constexpr std::string_view kAllCollectors = "all";

/// Whether `name` may name a metric, a label or a collector: [a-zA-Z_][a-zA-Z0-9_]*, bounded.
constexpr bool isName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  if (name.front() >= '0' && name.front() <= '9') return false;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

/// Labels of the daemon's: they say whose a series is (the exposition adds `domain`, `uuid` and
/// `host`), or the API and people look for a VM under them.
inline constexpr std::array<std::string_view, 7> kReservedLabels{
    "domain", "uuid", "host", "vm", "source", "environment", "entity"};

/// Whether `name` is one that an agent may give a label.
constexpr bool isAgentLabel(std::string_view name) {
  return isName(name) && !name.starts_with("__") &&
         std::find(kReservedLabels.begin(), kReservedLabels.end(), name) == kReservedLabels.end();
}

/// Whether `name` is one that an agent may give a metric: `guest_...` of its own figures,
/// `echo_...` of the echo, `app_...` of what applications tell.
constexpr bool isAgentMetric(std::string_view name) {
  return isName(name) &&
         (name.starts_with("guest_") || name.starts_with("echo_") || name.starts_with("app_"));
}

namespace detail {

/// Bytes of the UTF-8 sequence at the start of `text` if it is well-formed and no control
/// character, else 0 (Unicode 15, table 3-7).
constexpr std::size_t printableSequence(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
  const std::uint8_t first = at(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return tail(1) && !(first == 0xc2 && at(1) < 0xa0) ? 2 : 0;
  if (first < 0xf0) {
    if (first == 0xe0 && at(1) < 0xa0) return 0;  // overlong
    if (first == 0xed && at(1) > 0x9f) return 0;  // half of a surrogate pair
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (first > 0xf4 || (first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) > 0x8f)) return 0;
  return tail(1) && tail(2) && tail(3) ? 4 : 0;
}

}  // namespace detail

/// Whether `text` is UTF-8 without control characters.
constexpr bool isPrintable(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = detail::printableSequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Whether `text` is UTF-8 of at most kMaxTextBytes without control characters.
constexpr bool isText(std::string_view text) {
  return text.size() <= kMaxTextBytes && isPrintable(text);
}

/// Whether `kind` may name a kind of happening: names with dots between them, `guest` the first.
constexpr bool isKind(std::string_view kind) {
  constexpr std::string_view kFirst = "guest.";
  if (kind.size() > kMaxNameBytes || !kind.starts_with(kFirst)) return false;
  kind.remove_prefix(kFirst.size());
  while (true) {
    const auto dot = kind.find('.');
    if (!isName(kind.substr(0, dot))) return false;
    if (dot == kind.npos) return true;
    kind.remove_prefix(dot + 1);
  }
}

/// `text` as a frame may carry it: at most `max_bytes`, never half a character, every byte that is
/// not printable UTF-8 replaced by '?'.
inline std::string cleanText(std::string_view text, std::size_t max_bytes = kMaxTextBytes) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = detail::printableSequence(text);
    const std::size_t step = length == 0 ? 1 : length;
    if (clean.size() + step > max_bytes) break;
    if (length == 0)
      clean.push_back('?');
    else
      clean.append(text.substr(0, length));
    text.remove_prefix(step);
  }
  return clean;
}

}  // namespace virtseer::echo
