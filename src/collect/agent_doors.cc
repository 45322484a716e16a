#include "collect/agent_doors.h"

#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace virtseer::collect {

namespace asio = boost::asio;

namespace {

constexpr int kWaiting = 256;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  template <class T>
  void set(const T& value) {
    std::memcpy(&storage, &value, size = sizeof value);
  }
  template <class T>
  T as() const {
    T value;
    std::memcpy(&value, &storage, sizeof value);
    return value;
  }
};

Result<AgentDoor> listenOn(const asio::any_io_executor& loop, AgentDoor::Kind kind, Address address,
                           const std::string& where) {
  Descriptor fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd && errno == EAFNOSUPPORT && kind == AgentDoor::Kind::vsock)
    return fail(Code::failed, where + ": the kernel has no vsock: modprobe vhost_vsock");
  if (!fd) return fail(Code::failed, where + ": " + std::strerror(errno));
  const int on = 1;
  if (kind == AgentDoor::Kind::tls) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // A bridge may get its address after the daemon has started. IPv6 takes the same option.
    ::setsockopt(fd.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  }
  if (::bind(fd.get(), address.get(), address.size) < 0 || ::listen(fd.get(), kWaiting) < 0)
    return fail(Code::failed, where + ": " + std::strerror(errno));
  return AgentDoor{kind, asio::posix::stream_descriptor(loop, fd.release())};
}

std::string ipText(int family, const void* address) {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, address, text, sizeof text);
  return text;
}

void describe(Caller& caller, const Address& address) {
  if (address.storage.ss_family == AF_VSOCK) {
    caller.address = "vsock CID " + std::to_string(address.as<sockaddr_vm>().svm_cid);
  } else if (address.storage.ss_family == AF_INET) {
    const auto v4 = address.as<sockaddr_in>();
    caller.address = ipText(AF_INET, &v4.sin_addr);
  } else if (address.storage.ss_family == AF_INET6) {
    auto v6 = address.as<sockaddr_in6>();
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    caller.address =
        mapped ? ipText(AF_INET, &v6.sin6_addr.s6_addr[12]) : ipText(AF_INET6, &v6.sin6_addr);
    std::memset(&v6.sin6_addr.s6_addr[8], 0, 8);
    caller.network = mapped ? caller.address : ipText(AF_INET6, &v6.sin6_addr) + "/64";
    return;
  } else {
    caller.address = "this machine";
  }
  caller.network = caller.address;
}

/// A guest that vanished without a word is noticed after about two minutes.
void noticeSilence(int fd) {
  const int on = 1, idle_s = 60, every_s = 20, probes = 3;
  const unsigned unacknowledged_ms = 120'000;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Result<AgentDoor> openTlsDoor(const asio::any_io_executor& loop, std::string_view text) {
  const std::string where = "echo.listen_tls " + printable(text);
  const auto colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto digits = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  boost::system::error_code failed;
  const auto ip = asio::ip::make_address(std::string(host), failed);
  if (failed || digits.empty() || wrong != std::errc() || end != digits.data() + digits.size())
    return fail(Code::invalid, where + ": must be a numeric address and a port");
  Address address;
  if (ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.to_v4().to_bytes().data(), 4);
    address.set(v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, ip.to_v6().to_bytes().data(), 16);
    v6.sin6_scope_id = static_cast<std::uint32_t>(ip.to_v6().scope_id());
    address.set(v6);
  }
  return listenOn(loop, AgentDoor::Kind::tls, address, where);
}

Result<AgentDoor> openVsockDoor(const asio::any_io_executor& loop, std::uint32_t port) {
  sockaddr_vm vm{};
  vm.svm_family = AF_VSOCK;
  vm.svm_cid = VMADDR_CID_ANY;
  vm.svm_port = port;
  Address address;
  address.set(vm);
  return listenOn(loop, AgentDoor::Kind::vsock, address,
                  "echo.listen_vsock " + std::to_string(port));
}

Result<std::optional<Caller>> takeCaller(AgentDoor& door) {
  Address address;
  address.size = sizeof address.storage;
  Caller caller;
  caller.socket = Descriptor(::accept4(door.socket.native_handle(), address.get(), &address.size,
                                       SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!caller.socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
      return fail(Code::busy, std::strerror(errno));
    return std::nullopt;
  }
  describe(caller, address);
  if (door.kind == AgentDoor::Kind::tls) noticeSilence(caller.socket.get());
  return caller;
}

}  // namespace virtseer::collect
