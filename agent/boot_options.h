#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Reading of what a kernel's command line and the agent's options say.
namespace virtseer::agent {

/// The value of the last `key=value` on a kernel's command line.
std::optional<std::string_view> kernelArgument(std::string_view command_line, std::string_view key);

/// An IPv4 address and the length of its network's prefix.
struct Ipv4Network {
  std::uint32_t address = 0;  ///< host byte order
  std::uint32_t mask = 0;

  bool operator==(const Ipv4Network&) const = default;
};

/// "10.0.2.15/24"; nothing where it is anything else.
std::optional<Ipv4Network> parseIpv4Network(std::string_view text);

/// "5s" or "500ms" in milliseconds; nothing where it is not within the protocol's limits.
std::optional<std::uint32_t> parseInterval(std::string_view text);

}  // namespace virtseer::agent
