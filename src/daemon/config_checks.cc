#include "daemon/config_checks.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>
#include <utility>

#include "daemon/config_keys.h"

namespace virtseer {
namespace {

bool isNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

/// The address of "ADDRESS:PORT" or "[ADDRESS]:PORT"; nullopt if it is neither.
std::optional<boost::asio::ip::address> listenAddress(std::string_view value) {
  const auto colon = value.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view address = value.substr(0, colon);
  const std::string_view port_text = value.substr(colon + 1);
  const bool bracketed = address.starts_with('[') && address.ends_with(']');
  if (bracketed) address = address.substr(1, address.size() - 2);
  std::uint16_t port = 0;
  const auto [end, fault] = std::from_chars(port_text.begin(), port_text.end(), port);
  if (fault != std::errc{} || end != port_text.end() || port == 0) return std::nullopt;
  boost::system::error_code wrong;
  const auto parsed = boost::asio::ip::make_address(std::string(address), wrong);
  if (wrong || parsed.is_v6() != bracketed) return std::nullopt;
  return parsed;
}

/// A bearer token is guessed over the network: 16 characters of hex are 64 bits.
constexpr std::size_t kMinTokenBytes = 16;

std::string checkTokenFile(const std::filesystem::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0)
    return fmt::format("cannot look at {}: {}", file.string(), std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return fmt::format("{} is not a file", file.string());
  if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return fmt::format("{} is open to everybody: chmod o= {}", file.string(), file.string());
  std::string token;
  if (!(std::ifstream(file) >> token) || token.size() < kMinTokenBytes)
    return fmt::format(
        "{} holds no token of at least {} characters: make one with "
        "'openssl rand -hex 32'",
        file.string(), kMinTokenBytes);
  return {};
}

}  // namespace

std::string checkLevel(std::string_view value) {
  const bool known = value == "debug" || value == "info" || value == "warning" || value == "error";
  return known ? "" : "must be debug, info, warning or error";
}

std::string checkAbsolutePath(std::string_view value) {
  if (value.contains('\0')) return "must not contain NUL";
  return value.starts_with('/') ? "" : "must be an absolute path: begin it with /";
}

std::string checkPathOrEmpty(std::string_view value) {
  return value.empty() ? "" : checkAbsolutePath(value);
}

std::string checkUri(std::string_view value) {
  const auto scheme = value.find("://");
  const bool shaped = scheme != std::string_view::npos && scheme > 0 && value.size() <= 1024 &&
                      std::ranges::all_of(value, [](char c) { return c > ' ' && c < 0x7F; });
  return shaped ? "" : "must be a libvirt URI such as qemu:///system";
}

std::string checkHostName(std::string_view value) {
  return std::ranges::all_of(value, isNameCharacter)
             ? ""
             : "may hold letters, digits, '-', '.' and '_' only";
}

std::string checkAllowedHost(std::string_view value) {
  const bool fits =
      !value.empty() && value.size() <= 253 && std::ranges::all_of(value, isNameCharacter);
  return fits ? "" : "must be host names without port: letters, digits, '-', '.' and '_'";
}

std::string checkCgroup(std::string_view value) {
  if (value.contains('\0')) return "must not contain NUL";
  for (const auto& part : std::filesystem::path(value))
    if (part == "..") return "must not contain '..'";
  return {};
}

std::string checkListen(std::string_view value) {
  if (value.empty() || listenAddress(value)) return {};
  return "must be ADDRESS:PORT with a numeric address and a port from 1 to 65535, such as "
         "127.0.0.1:8686 or "
         "[::1]:8686";
}

std::vector<std::pair<std::string, std::string>> checkTogether(const Config& config) {
  std::vector<std::pair<std::string, std::string>> faults;
  const auto address = listenAddress(config.api.listen);
  if (address && !address->is_loopback() && config.api.token_file.empty())
    faults.emplace_back(
        "api.listen",
        fmt::format("{} is not a loopback address: set api.token_file, or listen on 127.0.0.1",
                    address->to_string()));
  if (!config.api.token_file.empty())
    if (auto fault = checkTokenFile(config.api.token_file); !fault.empty())
      faults.emplace_back("api.token_file", std::move(fault));
  if (config.host.cpus && config.host.reserve_cpus >= *config.host.cpus)
    faults.emplace_back("host.reserve_cpus", "leaves nothing of host.cpus to the VMs: lower it");
  if (config.host.memory_bytes && config.host.reserve_memory_bytes >= *config.host.memory_bytes)
    faults.emplace_back("host.reserve_memory",
                        "leaves nothing of host.memory to the VMs: lower it");
  const std::set<std::string> uris(config.libvirt.uris.begin(), config.libvirt.uris.end());
  if (uris.size() != config.libvirt.uris.size())
    faults.emplace_back("libvirt.uris",
                        "names an environment twice: its VMs would be counted twice");
  return faults;
}

}  // namespace virtseer
