#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// One TCP socket as sock_diag tells it (sock_diag(7), the kernel's net/ipv4/inet_diag.c).
namespace virtseer::agent {

/// An address of IPv6, or one of IPv4 as ::ffff:a.b.c.d.
struct Address {
  std::array<std::uint8_t, 16> bytes{};

  bool isIpv4() const;
  bool isLoopback() const;
  /// As a person writes it, that of IPv4 with dots.
  std::string text() const;

  bool operator==(const Address&) const = default;
};

/// 0.0.0.0 and ::, where a listener takes what comes to any address.
Address anyIpv4();
inline Address anyIpv6() {
  return {};
}

/// The kernel's numbers (include/net/tcp_states.h).
enum class TcpState : std::uint8_t {
  established = 1,
  syn_sent = 2,
  syn_recv = 3,
  fin_wait1 = 4,
  fin_wait2 = 5,
  close_wait = 8,
  last_ack = 9,
  listen = 10,
  closing = 11,
};
inline constexpr std::size_t kTcpStates = 12;  ///< above the largest number

struct TcpSocket {
  std::uint64_t cookie = 0;  ///< the kernel's own number of it, never used twice; 0: it has none
  TcpState state = TcpState::established;
  Address local, remote;
  std::uint16_t local_port = 0, remote_port = 0;
  std::uint32_t receive_queue = 0;  ///< of a listener: connections that wait to be accepted
  std::uint32_t send_queue = 0;     ///< of a listener: how many may
  std::uint32_t rtt_us = 0;         ///< smoothed; 0: none measured yet
  std::uint32_t segments = 0;       ///< with data, sent since it was opened, repetitions included
  std::uint32_t retransmits = 0;    ///< of these, repetitions
  std::uint64_t sent_bytes = 0;     ///< of data, without repetitions
  std::uint64_t received_bytes = 0;

  /// Whether both ends are in this guest.
  bool isLocal() const { return remote.isLoopback() || remote == local; }
};

/// What a message of netlink was.
enum class Message { socket, other, done, failed, none };

/// Takes the first message off `bytes`. `socket` is set where it was one; `error` where the kernel
/// answered with a failure (an errno). None: nothing whole is left.
Message takeMessage(std::string_view& bytes, TcpSocket& socket, int& error);

}  // namespace virtseer::agent
