#include "agent/traffic.h"

#include <algorithm>
#include <cstring>

#include "agent/figures.h"
#include "agent/services.h"

namespace virtseer::agent {
namespace {

/// Of a counter: what it grew by, 0 where it fell.
template <typename T>
T growth(T now, T before) {
  return now > before ? now - before : 0;
}

/// The value below which `share` of `values` lie, in seconds; reorders them.
std::optional<double> quantile(std::vector<std::uint32_t>& values, double share) {
  if (values.empty()) return std::nullopt;
  const auto place = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), at, values.end());
  return toThreeDigits(*at / 1e6);
}

}  // namespace

std::uint64_t Traffic::PeerKey::hash() const {
  std::uint64_t high = 0, low = 0;
  std::memcpy(&high, address.bytes.data(), sizeof high);
  std::memcpy(&low, address.bytes.data() + sizeof high, sizeof low);
  return (high * 31 + low) * 31 + port * 2u + static_cast<unsigned>(direction);
}

void Traffic::begin(std::int64_t now_ms) {
  elapsed_seconds_ = looked_ ? static_cast<double>(now_ms - now_ms_) / 1000 : 0;
  now_ms_ = now_ms;
  sockets_ = 0;
  summaries_ = {};
  for (Sums& sums : sums_) {
    sums.rtts_us.clear();
    sums.segments = sums.retransmits = 0;
  }
  before_.swap(seen_);
  seen_.clear();
  peers_.clear();
  services_.clear();
  other_services_ = {};
  listeners_.clear();
}

bool Traffic::add(const TcpSocket& socket) {
  if (sockets_ >= kMaxSockets) return false;
  ++sockets_;
  if (socket.state == TcpState::listen)
    addListener(socket);
  else
    addConnection(socket);
  return true;
}

/// Several sockets may listen at one place (SO_REUSEPORT): their queues are one to those outside.
void Traffic::addListener(const TcpSocket& socket) {
  Listener* listener = listeners_.at({socket.local, socket.local_port});
  if (listener == nullptr) return;
  listener->queue += socket.receive_queue;
  listener->limit += socket.send_queue;
}

Traffic::Listener* Traffic::listenerOf(const TcpSocket& socket) {
  for (const Address& address : {socket.local, anyIpv4(), anyIpv6()})
    if (Listener* listener = listeners_.find({address, socket.local_port})) return listener;
  return nullptr;
}

void Traffic::addConnection(const TcpSocket& socket) {
  const Scope scope = socket.isLocal() ? Scope::loopback : Scope::remote;
  Sums& sums = sums_[static_cast<std::size_t>(scope)];
  ++summaries_[static_cast<std::size_t>(scope)].connections[static_cast<std::size_t>(socket.state)];
  const bool established = socket.state == TcpState::established;
  if (established && socket.rtt_us > 0) sums.rtts_us.push_back(socket.rtt_us);

  const auto growth = growthOf(socket);
  if (growth) {
    sums.segments += growth->segments;
    sums.retransmits += growth->retransmits;
  }
  Listener* listener = listenerOf(socket);
  if (listener != nullptr && established) ++listener->connections;
  const bool in = listener != nullptr || (!serviceName(socket.local_port).empty() &&
                                          serviceName(socket.remote_port).empty());
  const std::uint16_t port = in ? socket.local_port : socket.remote_port;
  // Both ends of a connection within the guest are seen: that of the service stands for it.
  if (scope == Scope::loopback && !in) return;
  Service* service = services_.at({port, scope});
  addCounts(service == nullptr ? other_services_[static_cast<std::size_t>(scope)] : service->counts,
            growth);
  if (scope == Scope::loopback) return;
  Peer* peer = peers_.at({socket.remote, port, in ? Direction::in : Direction::out});
  if (peer == nullptr) return;
  addCounts(peer->counts, growth);
  if (growth) peer->retransmits += growth->retransmits;
  if (socket.rtt_us == 0) return;
  peer->rtt_sum_us += socket.rtt_us;
  ++peer->rtt_count;
}

/// What a connection did since the look before: all of it where it was opened since; nothing where
/// it may only have been left out.
std::optional<Traffic::Seen> Traffic::growthOf(const TcpSocket& socket) {
  if (socket.cookie == 0) return std::nullopt;
  const Seen now{{socket.cookie},
                 socket.sent_bytes,
                 socket.received_bytes,
                 socket.segments,
                 socket.retransmits};
  if (Seen* seen = seen_.at(now.key)) *seen = now;
  if (!looked_) return std::nullopt;
  const Seen* before = before_.find(now.key);
  if (before == nullptr) return whole_ ? std::optional(now) : std::nullopt;
  return Seen{now.key, growth(now.sent_bytes, before->sent_bytes),
              growth(now.received_bytes, before->received_bytes),
              growth(now.segments, before->segments), growth(now.retransmits, before->retransmits)};
}

void Traffic::addCounts(Counts& counts, const std::optional<Seen>& growth) {
  ++counts.connections;
  if (!growth) return;
  counts.sent_bytes += growth->sent_bytes;
  counts.received_bytes += growth->received_bytes;
}

void Traffic::end(bool whole) {
  for (std::size_t scope = 0; scope < kScopes; ++scope) {
    Summary& summary = summaries_[scope];
    Sums& sums = sums_[scope];
    summary.median_rtt = quantile(sums.rtts_us, 0.5);
    summary.p95_rtt = quantile(sums.rtts_us, 0.95);
    summary.max_rtt = quantile(sums.rtts_us, 1);
    if (looked_)
      summary.loss_ratio =
          ratioOf(static_cast<double>(sums.retransmits), static_cast<double>(sums.segments));
  }
  whole_ = whole;
  looked_ = true;
}

}  // namespace virtseer::agent
