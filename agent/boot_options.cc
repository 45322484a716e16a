#include "agent/boot_options.h"

#include "agent/scan.h"
#include "virtseer/echo/wire.h"

namespace virtseer::agent {

std::optional<std::string_view> kernelArgument(std::string_view command_line,
                                               std::string_view key) {
  std::optional<std::string_view> value;
  std::string_view line = takeLine(command_line);
  while (true) {
    const std::string_view word = takeWord(line);
    if (word.empty()) return value;
    if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=')
      value = word.substr(key.size() + 1);
  }
}

std::optional<Ipv4Network> parseIpv4Network(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto length = parseNumber(text.substr(slash + 1));
  if (!length || *length > 32) return std::nullopt;
  Ipv4Network network;
  std::string_view rest = text.substr(0, slash);
  for (int i = 0; i < 4; ++i) {
    const auto dot = rest.find('.');
    if ((dot == rest.npos) != (i == 3)) return std::nullopt;
    const auto part = parseNumber(rest.substr(0, dot));
    if (!part || *part > 255) return std::nullopt;
    network.address = network.address << 8 | static_cast<std::uint32_t>(*part);
    rest.remove_prefix(dot == rest.npos ? rest.size() : dot + 1);
  }
  if (*length > 0) network.mask = ~0u << (32 - *length);
  return network;
}

std::optional<std::uint32_t> parseInterval(std::string_view text) {
  const bool milliseconds = text.ends_with("ms");
  if (!milliseconds && !text.ends_with("s")) return std::nullopt;
  text.remove_suffix(milliseconds ? 2 : 1);
  const auto number = parseNumber(text);
  if (!number || *number > echo::kMaxIntervalMs) return std::nullopt;
  const std::uint64_t interval_ms = milliseconds ? *number : *number * 1000;
  if (interval_ms < echo::kMinIntervalMs || interval_ms > echo::kMaxIntervalMs) return std::nullopt;
  return static_cast<std::uint32_t>(interval_ms);
}

}  // namespace virtseer::agent
