#include "agent/socket_dump.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace virtseer::agent {
namespace {

/// The kernel fills at most this much at a time (net/netlink/af_netlink.c).
constexpr std::size_t kBufferBytes = 32 * 1024;

constexpr std::uint32_t bit(TcpState state) {
  return 1u << static_cast<unsigned>(state);
}
/// A connection that is being opened by the other side is in a state of its own in the kernel
/// (TCP_NEW_SYN_RECV) and told as syn_recv.
constexpr std::uint32_t kStates =
    bit(TcpState::established) | bit(TcpState::syn_sent) | bit(TcpState::syn_recv) |
    bit(TcpState::fin_wait1) | bit(TcpState::fin_wait2) | bit(TcpState::close_wait) |
    bit(TcpState::last_ack) | bit(TcpState::listen) | bit(TcpState::closing) | 1u << 12;

}  // namespace

/// The older form of the request, since it alone takes both families in one walk through the
/// kernel's table of connections, which costs most of a dump on a machine of much memory.
std::expected<void, std::string> SocketDump::begin(Scratch& buffer) {
  error_.clear();
  rest_ = {};
  if (buffer.size() < kBufferBytes) buffer.resize(kBufferBytes);
  buffer_ = &buffer;
  if (!fd_)
    fd_ = Descriptor(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
  struct {
    nlmsghdr head;
    inet_diag_req body;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = TCPDIAG_GETSOCK;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.idiag_family = AF_INET;
  request.body.idiag_ext = 1u << (INET_DIAG_INFO - 1);
  request.body.idiag_states = kStates;
  if (!fd_ || ::send(fd_.get(), &request, sizeof request, 0) < 0) {
    fail(errno);
    return std::unexpected(error_);
  }
  return {};
}

bool SocketDump::next(TcpSocket& socket) {
  while (fd_) {
    int error = 0;
    switch (takeMessage(rest_, socket, error)) {
      case Message::socket:
        return true;
      case Message::other:
        continue;
      case Message::done:
        return false;
      case Message::failed:
        return fail(error);
      case Message::none:
        break;
    }
    const ssize_t size = ::recv(fd_.get(), buffer_->data(), buffer_->size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return fail(size < 0 ? errno : ENODATA);
    rest_ = std::string_view(*buffer_).substr(0, static_cast<std::size_t>(size));
  }
  return false;
}

void SocketDump::close() {
  fd_.reset();
  rest_ = {};
}

bool SocketDump::fail(int error) {
  error_ = "sock_diag: " + errorText(error);
  close();
  return false;
}

}  // namespace virtseer::agent
