#include "agent/tcp_socket.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

#include <algorithm>
#include <cstring>

namespace virtseer::agent {
namespace {

constexpr std::array<std::uint8_t, 12> kIpv4Prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Address addressOf(std::uint8_t family, const __be32* words) {
  Address address;
  if (family == AF_INET) {
    std::copy(kIpv4Prefix.begin(), kIpv4Prefix.end(), address.bytes.begin());
    std::memcpy(address.bytes.data() + kIpv4Prefix.size(), words, 4);
  } else {
    std::memcpy(address.bytes.data(), words, address.bytes.size());
  }
  return address;
}

/// A value of the fixed layout T at the start of `bytes`; what the kernel did not tell stays 0.
template <typename T>
T valueAt(std::string_view bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

bool reaches(std::string_view bytes, std::size_t offset, std::size_t size) {
  return bytes.size() >= offset + size;
}
#define VIRTSEER_TELLS(bytes, field) \
  reaches(bytes, offsetof(tcp_info, field), sizeof(tcp_info::field))

/// The structure has grown with the kernel: 4.2 tells bytes and segments, 4.6 segments of data,
/// 4.19 what of the bytes was repeated.
void takeInfo(std::string_view bytes, TcpSocket& socket) {
  const auto info = valueAt<tcp_info>(bytes);
  socket.rtt_us = info.tcpi_rtt;
  socket.retransmits = info.tcpi_total_retrans;
  socket.received_bytes = info.tcpi_bytes_received;
  socket.segments =
      VIRTSEER_TELLS(bytes, tcpi_data_segs_out) ? info.tcpi_data_segs_out : info.tcpi_segs_out;
  socket.sent_bytes = info.tcpi_bytes_acked;
  if (VIRTSEER_TELLS(bytes, tcpi_bytes_retrans) && info.tcpi_bytes_retrans <= info.tcpi_bytes_sent)
    socket.sent_bytes = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
}

bool takeSocket(std::string_view body, TcpSocket& socket) {
  if (body.size() < sizeof(inet_diag_msg)) return false;
  const auto message = valueAt<inet_diag_msg>(body);
  if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6) return false;
  if (message.idiag_state == 0 || message.idiag_state >= kTcpStates) return false;
  socket = {};
  socket.state = static_cast<TcpState>(message.idiag_state);
  socket.cookie = std::uint64_t{message.id.idiag_cookie[1]} << 32 | message.id.idiag_cookie[0];
  socket.local = addressOf(message.idiag_family, message.id.idiag_src);
  socket.remote = addressOf(message.idiag_family, message.id.idiag_dst);
  socket.local_port = ntohs(message.id.idiag_sport);
  socket.remote_port = ntohs(message.id.idiag_dport);
  socket.receive_queue = message.idiag_rqueue;
  socket.send_queue = message.idiag_wqueue;
  body.remove_prefix(NLMSG_ALIGN(sizeof message));
  while (body.size() >= sizeof(rtattr)) {
    const auto attribute = valueAt<rtattr>(body);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > body.size()) break;
    if (attribute.rta_type == INET_DIAG_INFO)
      takeInfo(body.substr(sizeof attribute, attribute.rta_len - sizeof attribute), socket);
    body.remove_prefix(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), body.size()));
  }
  return true;
}

}  // namespace

bool Address::isIpv4() const {
  return std::equal(kIpv4Prefix.begin(), kIpv4Prefix.end(), bytes.begin());
}

bool Address::isLoopback() const {
  if (isIpv4()) return bytes[12] == 127;
  return bytes[15] == 1 &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

std::string Address::text() const {
  char text[INET6_ADDRSTRLEN];
  const bool short_form = isIpv4();
  const char* made =
      ::inet_ntop(short_form ? AF_INET : AF_INET6,
                  bytes.data() + (short_form ? kIpv4Prefix.size() : 0), text, sizeof text);
  return made == nullptr ? std::string() : std::string(made);
}

Address anyIpv4() {
  Address any;
  std::copy(kIpv4Prefix.begin(), kIpv4Prefix.end(), any.bytes.begin());
  return any;
}

Message takeMessage(std::string_view& bytes, TcpSocket& socket, int& error) {
  if (bytes.size() < sizeof(nlmsghdr)) return Message::none;
  const auto head = valueAt<nlmsghdr>(bytes);
  if (head.nlmsg_len < sizeof head || head.nlmsg_len > bytes.size()) return Message::none;
  const std::string_view body = bytes.substr(sizeof head, head.nlmsg_len - sizeof head);
  bytes.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(head.nlmsg_len), bytes.size()));
  switch (head.nlmsg_type) {
    case NLMSG_ERROR:
    case NLMSG_DONE: {
      const int result = valueAt<int>(body);
      if (result >= 0) return Message::done;
      error = -result;
      return Message::failed;
    }
    case TCPDIAG_GETSOCK:
    case SOCK_DIAG_BY_FAMILY:
      return takeSocket(body, socket) ? Message::socket : Message::other;
    default:
      return Message::other;
  }
}

}  // namespace virtseer::agent
