#include "agent/tcp_socket.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <string>

namespace virtseer::agent {
namespace {

template <typename T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string message(std::uint16_t type, const std::string& body) {
  nlmsghdr head{};
  head.nlmsg_len = static_cast<std::uint32_t>(sizeof head + body.size());
  head.nlmsg_type = type;
  std::string bytes;
  append(bytes, head);
  return bytes + body;
}

std::string socketBody(std::uint8_t family, std::uint8_t state, const std::string& attributes) {
  inet_diag_msg body{};
  body.idiag_family = family;
  body.idiag_state = state;
  body.id.idiag_sport = __builtin_bswap16(443);
  body.id.idiag_dport = __builtin_bswap16(50000);
  body.id.idiag_src[0] = __builtin_bswap32(0xc0000201);
  body.id.idiag_dst[0] = __builtin_bswap32(0xc6336407);
  body.id.idiag_cookie[0] = 7;
  body.id.idiag_cookie[1] = 1;
  body.idiag_rqueue = 3;
  body.idiag_wqueue = 128;
  std::string bytes;
  append(bytes, body);
  return bytes + attributes;
}

std::string infoAttribute(std::size_t told) {
  tcp_info info{};
  info.tcpi_rtt = 1500;
  info.tcpi_total_retrans = 4;
  info.tcpi_bytes_acked = 1001;
  info.tcpi_bytes_received = 2000;
  info.tcpi_segs_out = 90;
  info.tcpi_data_segs_out = 40;
  info.tcpi_bytes_sent = 1100;
  info.tcpi_bytes_retrans = 100;
  rtattr attribute{};
  attribute.rta_len = static_cast<std::uint16_t>(sizeof attribute + told);
  attribute.rta_type = INET_DIAG_INFO;
  std::string bytes;
  append(bytes, attribute);
  return bytes + std::string(reinterpret_cast<const char*>(&info), told);
}

TcpSocket taken(const std::string& bytes) {
  std::string_view rest = bytes;
  TcpSocket socket;
  int error = 0;
  REQUIRE(takeMessage(rest, socket, error) == Message::socket);
  CHECK(rest.empty());
  return socket;
}

TEST_CASE("a socket's message tells its ends, its queues and what it carried") {
  const TcpSocket socket =
      taken(message(TCPDIAG_GETSOCK, socketBody(AF_INET, 1, infoAttribute(sizeof(tcp_info)))));
  CHECK(socket.state == TcpState::established);
  CHECK(socket.cookie == (std::uint64_t{1} << 32 | 7));
  CHECK(socket.local.text() == "192.0.2.1");
  CHECK(socket.remote.text() == "198.51.100.7");
  CHECK(socket.local_port == 443);
  CHECK(socket.remote_port == 50000);
  CHECK(socket.receive_queue == 3);
  CHECK(socket.send_queue == 128);
  CHECK(socket.rtt_us == 1500);
  CHECK(socket.segments == 40);
  CHECK(socket.retransmits == 4);
  CHECK(socket.sent_bytes == 1000);
  CHECK(socket.received_bytes == 2000);
  CHECK_FALSE(socket.isLocal());
}

TEST_CASE("an older kernel tells less of a connection, and what it tells is used") {
  const auto with = [](std::size_t told) {
    return taken(message(TCPDIAG_GETSOCK, socketBody(AF_INET, 1, infoAttribute(told))));
  };
  const TcpSocket before_4_19 = with(offsetof(tcp_info, tcpi_delivered));
  CHECK(before_4_19.sent_bytes == 1001);
  CHECK(before_4_19.segments == 40);
  const TcpSocket before_4_6 = with(offsetof(tcp_info, tcpi_notsent_bytes));
  CHECK(before_4_6.segments == 90);
  const TcpSocket before_4_2 = with(offsetof(tcp_info, tcpi_pacing_rate));
  CHECK(before_4_2.rtt_us == 1500);
  CHECK(before_4_2.sent_bytes == 0);
  CHECK(taken(message(TCPDIAG_GETSOCK, socketBody(AF_INET, 1, ""))).rtt_us == 0);
}

TEST_CASE("addresses are written as people write them") {
  CHECK(anyIpv4().text() == "0.0.0.0");
  CHECK(anyIpv6().text() == "::");
  Address loopback;
  loopback.bytes[15] = 1;
  CHECK(loopback.text() == "::1");
  CHECK(loopback.isLoopback());
  CHECK_FALSE(anyIpv6().isLoopback());
  Address mapped = anyIpv4();
  mapped.bytes[12] = 127;
  mapped.bytes[15] = 9;
  CHECK(mapped.isLoopback());
}

TEST_CASE("the end of a dump and its failure are told apart") {
  const auto kindOf = [](const std::string& bytes, int& error) {
    std::string_view rest = bytes;
    TcpSocket socket;
    return takeMessage(rest, socket, error);
  };
  std::string fine, failed;
  append(fine, 0);
  append(failed, -ENOENT);
  int error = 0;
  CHECK(kindOf(message(NLMSG_DONE, fine), error) == Message::done);
  CHECK(kindOf(message(NLMSG_DONE, ""), error) == Message::done);
  CHECK(kindOf(message(NLMSG_ERROR, failed), error) == Message::failed);
  CHECK(error == ENOENT);
  CHECK(kindOf(message(NLMSG_NOOP, ""), error) == Message::other);
}

TEST_CASE("messages that are cut or lie about their lengths are never read beyond") {
  const std::string whole =
      message(TCPDIAG_GETSOCK, socketBody(AF_INET6, 1, infoAttribute(sizeof(tcp_info))));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    // A block of its own, so that reading past it is seen.
    const std::string cut(whole.data(), length);
    std::string_view rest = cut;
    TcpSocket socket;
    int error = 0;
    CHECK(takeMessage(rest, socket, error) == Message::none);
    std::string lying = cut;
    if (length < sizeof(nlmsghdr)) continue;
    const auto size = static_cast<std::uint32_t>(length);
    std::memcpy(lying.data(), &size, sizeof size);
    rest = lying;
    takeMessage(rest, socket, error);
  }
  for (const std::uint16_t length : {0, 3, 4, 0xffff}) {
    rtattr attribute{};
    attribute.rta_len = length;
    attribute.rta_type = INET_DIAG_INFO;
    std::string bytes;
    append(bytes, attribute);
    CHECK(taken(message(TCPDIAG_GETSOCK, socketBody(AF_INET, 1, bytes))).rtt_us == 0);
  }
  for (const int state : {0, 12, 255}) {
    const std::string odd =
        message(TCPDIAG_GETSOCK, socketBody(AF_INET, static_cast<std::uint8_t>(state), ""));
    std::string_view rest = odd;
    TcpSocket socket;
    int error = 0;
    CHECK(takeMessage(rest, socket, error) == Message::other);
  }
}

}  // namespace
}  // namespace virtseer::agent
