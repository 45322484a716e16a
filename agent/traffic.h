#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/keyed.h"
#include "agent/report_builder.h"
#include "agent/tcp_socket.h"

namespace virtseer::agent {

/// Connections between both ends in this guest are told apart from those with other machines.
enum class Scope : std::uint8_t { remote, loopback };
inline constexpr std::size_t kScopes = 2;

/// Which side of a connection the service is: `in` where this guest listens on its port.
enum class Direction : std::uint8_t { in, out };

/// What the TCP connections of one look tell, against those of the look before. A connection that
/// was opened and closed between two looks is not seen. No I/O, no clock.
class Traffic {
 public:
  /// Sockets of one look at most: further ones are not taken.
  static constexpr std::size_t kMaxSockets = 2048;

  /// Begins a look.
  void begin(std::int64_t now_ms);
  /// Takes one socket; listeners come before connections. False: there is no room.
  bool add(const TcpSocket& socket);
  /// Ends the look; `whole`: it held all sockets there are.
  void end(bool whole);

  struct Summary {
    std::array<std::uint32_t, kTcpStates> connections{};  ///< by TcpState
    std::optional<double> median_rtt, p95_rtt, max_rtt;   ///< of established ones, in seconds
    /// Repetitions over segments with data sent since the look before.
    std::optional<double> loss_ratio;
  };
  const Summary& summary(Scope scope) const { return summaries_[static_cast<std::size_t>(scope)]; }
  std::size_t listeners() const { return listeners_.entries().size(); }
  bool whole() const { return whole_; }

  /// Writes the tables `peers` (at most `top`), `protocols` and `listeners`.
  void tell(ReportBuilder& report, std::size_t top) const;

 private:
  struct Counts {
    std::uint32_t connections = 0;
    std::uint64_t sent_bytes = 0, received_bytes = 0;  ///< since the look before
    std::uint64_t bytes() const { return sent_bytes + received_bytes; }
    void add(const Counts& other) {
      connections += other.connections;
      sent_bytes += other.sent_bytes;
      received_bytes += other.received_bytes;
    }
  };
  struct Cookie {
    std::uint64_t value = 0;
    std::uint64_t hash() const { return value; }
    bool operator==(const Cookie&) const = default;
  };
  struct Seen {
    Cookie key;
    std::uint64_t sent_bytes = 0, received_bytes = 0;
    std::uint32_t segments = 0, retransmits = 0;
  };
  struct PeerKey {
    Address address;
    std::uint16_t port = 0;  ///< of the service
    Direction direction = Direction::in;
    std::uint64_t hash() const;
    bool operator==(const PeerKey&) const = default;
  };
  struct Peer {
    PeerKey key;
    Counts counts = {};
    std::uint64_t rtt_sum_us = 0;
    std::uint32_t rtt_count = 0;
    std::uint32_t retransmits = 0;
  };
  struct ServiceKey {
    std::uint16_t port = 0;
    Scope scope = Scope::remote;
    std::uint64_t hash() const { return port; }
    bool operator==(const ServiceKey&) const = default;
  };
  struct Service {
    ServiceKey key;
    Counts counts = {};
  };
  struct ListenerKey {
    Address address;
    std::uint16_t port = 0;
    std::uint64_t hash() const { return port; }
    bool operator==(const ListenerKey&) const = default;
  };
  struct Listener {
    ListenerKey key;
    std::uint32_t queue = 0, limit = 0, connections = 0;
  };
  /// Of one scope, since the look before.
  struct Sums {
    std::vector<std::uint32_t> rtts_us;
    std::uint64_t segments = 0, retransmits = 0;
  };

  void addListener(const TcpSocket& socket);
  void addConnection(const TcpSocket& socket);
  Listener* listenerOf(const TcpSocket& socket);
  std::optional<Seen> growthOf(const TcpSocket& socket);
  void addCounts(Counts& counts, const std::optional<Seen>& growth);
  void tellPeers(ReportBuilder& report, std::size_t top) const;
  void tellServices(ReportBuilder& report) const;
  void tellListeners(ReportBuilder& report) const;
  double perSecond(std::uint64_t bytes) const;

  std::int64_t now_ms_ = 0;
  double elapsed_seconds_ = 0;  ///< since the look before; 0: there was none
  bool looked_ = false;
  bool whole_ = false;
  std::size_t sockets_ = 0;
  std::array<Summary, kScopes> summaries_;
  std::array<Sums, kScopes> sums_;
  Keyed<Seen> before_{kMaxSockets}, seen_{kMaxSockets};
  Keyed<Peer> peers_{kMaxSockets};
  Keyed<Service> services_{512};
  std::array<Counts, kScopes> other_services_;
  Keyed<Listener> listeners_{256};
};

}  // namespace virtseer::agent
