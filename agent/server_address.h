#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

/// Addresses of a host's daemon. Names are looked up in /etc/hosts alone: a resolver needs the
/// guest's C library at run time, and would block.
namespace virtseer::agent {

/// "tls://HOST:PORT" or "vsock://CID:PORT", taken apart.
struct Server {
  enum class Kind : std::uint8_t { tls, vsock };
  Kind kind = Kind::tls;
  std::string host;  ///< name or address, without brackets
  std::uint32_t cid = 0;
  std::uint32_t port = 0;

  bool operator==(const Server&) const = default;
};

/// Nothing where it is neither.
std::optional<Server> parseServer(std::string_view text);

/// An IPv4 or IPv6 address in network byte order.
struct IpAddress {
  std::uint8_t bytes[16] = {};
  std::uint8_t size = 0;  ///< 4 or 16

  std::string_view view() const { return {reinterpret_cast<const char*>(bytes), size}; }
};
std::optional<IpAddress> parseIpAddress(const std::string& text);

/// Where a connection goes to.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socketAddress(const IpAddress& ip, std::uint32_t port);

/// Looks HOST up in `root`/etc/hosts where it is no address. Failure: what to do.
std::expected<SocketAddress, std::string> resolve(const Server& server, const std::string& root);

}  // namespace virtseer::agent
