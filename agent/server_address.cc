#include "agent/server_address.h"

#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <strings.h>

#include <cstring>

#include "agent/file.h"
#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::string_view kTls = "tls://", kVsock = "vsock://";
constexpr std::size_t kMaxHostBytes = 253;

bool isHostName(std::string_view host) {
  if (host.empty() || host.size() > kMaxHostBytes) return false;
  for (const char c : host) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_') return false;
  }
  return true;
}

std::optional<Server> parseVsock(std::string_view rest) {
  const auto colon = rest.find(':');
  if (colon == rest.npos) return std::nullopt;
  const auto cid = parseNumber(rest.substr(0, colon));
  const auto port = parseNumber(rest.substr(colon + 1));
  if (!cid || !port || *cid >= VMADDR_CID_ANY || *port >= VMADDR_PORT_ANY || *port == 0)
    return std::nullopt;
  return Server{Server::Kind::vsock, "", static_cast<std::uint32_t>(*cid),
                static_cast<std::uint32_t>(*port)};
}

bool sameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

/// The first address that the file gives the name.
std::optional<IpAddress> lookUp(const std::string& name, const std::string& root) {
  const auto content = readFile(root + "/etc/hosts");
  if (!content) return std::nullopt;
  std::string_view rest = *content;
  while (!rest.empty()) {
    std::string_view line = takeLine(rest);
    line = line.substr(0, line.find('#'));
    const std::string address(takeWord(line));
    for (std::string_view word = takeWord(line); !word.empty(); word = takeWord(line)) {
      if (!sameName(word, name)) continue;
      if (const auto parsed = parseIpAddress(address)) return parsed;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<IpAddress> parseIpAddress(const std::string& text) {
  IpAddress address;
  if (::inet_pton(AF_INET, text.c_str(), address.bytes) == 1)
    address.size = 4;
  else if (::inet_pton(AF_INET6, text.c_str(), address.bytes) == 1)
    address.size = 16;
  else
    return std::nullopt;
  return address;
}

SocketAddress socketAddress(const IpAddress& ip, std::uint32_t port) {
  SocketAddress address;
  const auto wire_port = htons(static_cast<std::uint16_t>(port));
  if (ip.size == 4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = wire_port;
    std::memcpy(&v4.sin_addr, ip.bytes, 4);
    std::memcpy(&address.storage, &v4, address.size = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = wire_port;
    std::memcpy(&v6.sin6_addr, ip.bytes, 16);
    std::memcpy(&address.storage, &v6, address.size = sizeof v6);
  }
  return address;
}

std::optional<Server> parseServer(std::string_view text) {
  if (text.starts_with(kVsock)) return parseVsock(text.substr(kVsock.size()));
  if (!text.starts_with(kTls)) return std::nullopt;
  text.remove_prefix(kTls.size());
  const auto colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  const auto port = parseNumber(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  Server server{Server::Kind::tls, std::string(host), 0, static_cast<std::uint32_t>(*port)};
  if (bracketed) {
    const auto address = parseIpAddress(server.host);
    if (!address || address->size != 16) return std::nullopt;
  } else if (!isHostName(host)) {
    return std::nullopt;
  }
  return server;
}

std::expected<SocketAddress, std::string> resolve(const Server& server, const std::string& root) {
  if (server.kind == Server::Kind::vsock) {
    SocketAddress address;
    sockaddr_vm vm{};
    vm.svm_family = AF_VSOCK;
    vm.svm_cid = server.cid;
    vm.svm_port = server.port;
    std::memcpy(&address.storage, &vm, address.size = sizeof vm);
    return address;
  }
  auto ip = parseIpAddress(server.host);
  if (!ip) ip = lookUp(server.host, root);
  if (!ip)
    return std::unexpected(server.host +
                           " is neither an address nor a name in /etc/hosts: add it there");
  return socketAddress(*ip, server.port);
}

}  // namespace virtseer::agent
