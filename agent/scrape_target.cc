#include "agent/scrape_target.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kHttp = "http://", kUnix = "unix:";
constexpr std::size_t kMaxPathBytes = 512;

using Failure = std::unexpected<std::string>;

bool isPagePath(std::string_view path) {
  return path.starts_with('/') && path.size() <= kMaxPathBytes &&
         std::all_of(path.begin(), path.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

bool isLoopback(const IpAddress& ip) {
  if (ip.size == 4) return ip.bytes[0] == 127;
  return ip.bytes[15] == 1 && std::all_of(ip.bytes, ip.bytes + 15, [](auto b) { return b == 0; });
}

bool isLinkLocal(const IpAddress& ip) {
  if (ip.size == 4) return ip.bytes[0] == 169 && ip.bytes[1] == 254;
  return ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
}

std::expected<ScrapeTarget, std::string> parseUnix(std::string_view rest) {
  const auto colon = rest.find(':');
  const std::string_view socket = rest.substr(0, colon);
  sockaddr_un address{};
  if (colon == rest.npos || !socket.starts_with('/') || !isPagePath(rest.substr(colon + 1)))
    return Failure("is not unix:SOCKET:/PATH, such as unix:/run/app.sock:/metrics");
  if (socket.size() >= sizeof address.sun_path)
    return Failure("has a socket whose path is longer than 107 bytes");
  ScrapeTarget target;
  target.host = "localhost";
  target.path = rest.substr(colon + 1);
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  target.address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size() + 1);
  std::memcpy(&target.address.storage, &address, sizeof address);
  return target;
}

/// Takes "[ADDRESS%INTERFACE]", "ADDRESS" or "localhost" off `rest`, up to a colon or the end.
std::optional<IpAddress> takeHost(std::string_view& rest, std::string& interface) {
  const bool bracketed = rest.starts_with('[');
  const auto end = std::min(rest.find(bracketed ? ']' : ':'), rest.size());
  if (bracketed && end == rest.size()) return std::nullopt;
  std::string_view host = rest.substr(bracketed, end - bracketed);
  rest.remove_prefix(end + bracketed);
  if (const auto percent = host.find('%'); percent != host.npos && bracketed) {
    interface = host.substr(percent + 1);
    host = host.substr(0, percent);
    if (interface.empty() || interface.size() >= IF_NAMESIZE) return std::nullopt;
  }
  const auto ip = parseIpAddress(host == "localhost" ? "127.0.0.1" : std::string(host));
  if (!ip || (ip->size == 16) != bracketed) return std::nullopt;
  return ip;
}

std::expected<ScrapeTarget, std::string> parseHttp(std::string_view rest) {
  const auto slash = std::min(rest.find('/'), rest.size());
  ScrapeTarget target;
  target.path = rest.substr(slash);
  target.host = rest = rest.substr(0, slash);
  const auto ip = takeHost(rest, target.interface);
  std::optional<std::uint64_t> port = 80;
  if (rest.starts_with(':')) {
    port = parseNumber(rest.substr(1));
    rest = {};
  }
  if (!ip || !rest.empty() || !port || *port == 0 || *port > 65535 || !isPagePath(target.path))
    return Failure("is not http://ADDRESS:PORT/PATH, such as http://127.0.0.1:9187/metrics");
  if (!isLoopback(*ip) && !isLinkLocal(*ip))
    return Failure("is not of this machine alone: give an address such as 127.0.0.1 or [::1]");
  if (ip->size == 16 && isLinkLocal(*ip) == target.interface.empty())
    return Failure("needs the interface of a link-local address, such as [fe80::1%eth0]");
  target.address = socketAddress(*ip, static_cast<std::uint32_t>(*port));
  return target;
}

/// Of an address without port.
std::string_view hostBytes(const sockaddr_storage& address) {
  const auto* bytes = reinterpret_cast<const char*>(&address);
  return address.ss_family == AF_INET
             ? std::string_view(bytes + offsetof(sockaddr_in, sin_addr), 4)
             : std::string_view(bytes + offsetof(sockaddr_in6, sin6_addr), 16);
}

bool isLoopback(const SocketAddress& address) {
  const std::string_view bytes = hostBytes(address.storage);
  IpAddress ip;
  ip.size = static_cast<std::uint8_t>(bytes.size());
  std::memcpy(ip.bytes, bytes.data(), bytes.size());
  return isLoopback(ip);
}

/// To connect a datagram socket sends nothing, but has the kernel choose the address to send from:
/// towards an address of its own that is the same.
bool isOwn(const SocketAddress& address) {
  if (isLoopback(address)) return true;
  const Descriptor fd(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  return ::connect(fd.get(), address.get(), address.size) == 0 &&
         ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&from), &size) == 0 &&
         from.ss_family == address.family() && hostBytes(from) == hostBytes(address.storage);
}

bool setInterface(SocketAddress& address, const std::string& interface) {
  const unsigned number = ::if_nametoindex(interface.c_str());
  std::memcpy(reinterpret_cast<char*>(&address.storage) + offsetof(sockaddr_in6, sin6_scope_id),
              &number, sizeof number);
  return number != 0;
}

}  // namespace

std::expected<ScrapeTarget, std::string> parseTarget(std::string_view url) {
  if (url.starts_with(kUnix)) return parseUnix(url.substr(kUnix.size()));
  if (url.starts_with(kHttp)) return parseHttp(url.substr(kHttp.size()));
  return Failure("is neither http://ADDRESS:PORT/PATH nor unix:SOCKET:/PATH");
}

std::expected<Descriptor, std::string> connectTo(const ScrapeTarget& target) {
  SocketAddress address = target.address;
  if (!target.interface.empty() && !setInterface(address, target.interface))
    return Failure("there is no interface " + target.interface);
  if (address.family() != AF_UNIX && !isOwn(address))
    return Failure("the address is not of this guest");
  Descriptor fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Failure(errorText(errno));
  if (::connect(fd.get(), address.get(), address.size) < 0 && errno != EINPROGRESS)
    return Failure(errno == EAGAIN ? "it takes no connections now" : errorText(errno));
  return fd;
}

}  // namespace virtseer::agent
