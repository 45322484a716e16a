#include "fleet/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/text.h"

namespace virtseer::fleet {
namespace {

constexpr std::size_t kLongestName = 253;  // RFC 1035

bool isUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~").contains(c);
}

bool isPort(std::string_view text) {
  std::uint16_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc{} && end == text.data() + text.size() && number != 0;
}

/// HOST[:PORT]; the port is `otherwise` if there is none.
std::optional<Address> parseHostPort(std::string_view text, std::string_view otherwise) {
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && end == std::string_view::npos) return std::nullopt;
  const std::string_view host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  std::string_view rest = text.substr(std::min(text.size(), bracketed ? end + 1 : end));
  const bool named =
      !host.empty() && host.size() <= kLongestName && std::ranges::all_of(host, [&](char c) {
        return isUnreserved(c) || (bracketed && (c == ':' || c == '%'));
      });
  if (!named) return std::nullopt;
  if (rest.empty())
    rest = otherwise;
  else if (rest.starts_with(':'))
    rest.remove_prefix(1);
  else
    return std::nullopt;
  if (!isPort(rest)) return std::nullopt;
  return Address{std::string(host), std::string(rest)};
}

std::string_view libvirtPort(std::string_view transport) {
  if (transport == "tcp") return "16509";
  if (transport == "tls" || transport.empty()) return "16514";
  if (transport == "ssh" || transport == "libssh" || transport == "libssh2") return "22";
  return "";
}

}  // namespace

std::string Address::text() const {
  if (!host.contains(':')) return host + ":" + port;
  return fmt::format("[{}]:{}", host.substr(0, host.find('%')), port);
}

Result<Address> parseUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = url;
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (auto address = parseHostPort(rest, "")) return std::move(*address);
  }
  return fail(Code::invalid, fmt::format("\"{}\": must be http://HOST:PORT", printable(url)));
}

std::optional<Address> libvirtAddress(std::string_view migration_uri) {
  const auto scheme_end = migration_uri.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = migration_uri.substr(0, scheme_end);
  const auto plus = scheme.find('+');
  const std::string_view transport = plus == std::string_view::npos ? "" : scheme.substr(plus + 1);
  std::string_view authority = migration_uri.substr(scheme_end + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  const std::string_view port = libvirtPort(transport);
  return port.empty() ? std::nullopt : parseHostPort(authority, port);
}

std::optional<std::string> segment(std::string_view text) {
  if (text.empty() || text == "." || text == "..") return std::nullopt;
  std::string out;
  for (const char c : text) {
    if (isUnreserved(c))
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace virtseer::fleet
