#include "daemon/config_checks.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <filesystem>
#include <optional>

#include "base/text.h"
#include "base/time.h"
#include "fleet/address.h"
#include "model/policy.h"
#include "virtseer/echo/text.h"

namespace virtseer {
namespace {

bool isNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

/// A port from 1 to 65535.
bool isPort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, fault] = std::from_chars(text.begin(), text.end(), port);
  return fault == std::errc{} && end == text.end() && port != 0;
}

/// The address of "ADDRESS:PORT" or "[ADDRESS]:PORT"; nullopt if it is neither.
std::optional<boost::asio::ip::address> listenAddress(std::string_view value) {
  const auto colon = value.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view address = value.substr(0, colon);
  const std::string_view port_text = value.substr(colon + 1);
  const bool bracketed = address.starts_with('[') && address.ends_with(']');
  if (bracketed) address = address.substr(1, address.size() - 2);
  if (!isPort(port_text)) return std::nullopt;
  boost::system::error_code wrong;
  const auto parsed = boost::asio::ip::make_address(std::string(address), wrong);
  if (wrong || parsed.is_v6() != bracketed) return std::nullopt;
  return parsed;
}

}  // namespace

std::string checkLevel(std::string_view value) {
  const bool known = value == "debug" || value == "info" || value == "warning" || value == "error";
  return known ? "" : "must be debug, info, warning or error";
}

std::string checkDiskLocks(std::string_view value) {
  const bool known = value == "detect" || value == "yes" || value == "no";
  return known ? "" : "must be detect, yes or no";
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

std::string addressForOthers(std::string_view value) {
  const auto address = listenAddress(value);
  return address && !address->is_loopback() ? address->to_string() : std::string();
}

std::string checkMigrationUri(std::string_view value) {
  if (value.empty()) return {};
  if (checkUri(value).empty() && fleet::libvirtAddress(value)) return {};
  return "must be a libvirt URI that names a host and a transport with a port: "
         "qemu+tls://HOST/system, or with tcp or ssh in place of tls";
}

std::string checkPeerUrl(std::string_view value) {
  if (fleet::parseUrl(value) && !value.ends_with('/')) return {};
  return "must be http://HOST:PORT, such as http://192.0.2.2:8686";
}

std::string checkMode(std::string_view value) {
  return parseMode(value) ? "" : "must be observe, suggest or auto";
}

std::string checkVmPattern(std::string_view value) {
  return isUtf8(value) && printable(value) == value
             ? ""
             : "has characters that cannot be typed: use * or ? in their place, or the UUID";
}

std::string checkHorizon(std::string_view value) {
  constexpr Millis kShortest = std::chrono::seconds(1), kLongest = std::chrono::hours(7 * 24);
  const auto span = parseDuration(value);
  return span && *span >= kShortest && *span <= kLongest
             ? ""
             : "must be durations of 1s to 7d, such as 15m or 1h";
}

std::string checkCollector(std::string_view value) {
  return echo::isName(value) ? "" : "must be names of collectors such as cpu or processes";
}

}  // namespace virtseer
