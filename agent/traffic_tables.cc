#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "agent/figures.h"
#include "agent/services.h"
#include "agent/traffic.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMaxServiceRows = 16;
constexpr std::size_t kMaxListenerRows = 64;

constexpr std::string_view nameOf(Direction direction) {
  return direction == Direction::in ? "in" : "out";
}
constexpr std::string_view nameOf(Scope scope) {
  return scope == Scope::remote ? "remote" : "loopback";
}

template <class Entry>
bool busier(const Entry& a, const Entry& b) {
  if (a.counts.bytes() != b.counts.bytes()) return a.counts.bytes() > b.counts.bytes();
  return a.counts.connections > b.counts.connections;
}

/// The first `most` of `entries` by `before`, in that order.
template <class Entry, class Before>
std::vector<const Entry*> first(const std::vector<Entry>& entries, std::size_t most,
                                Before before) {
  std::vector<const Entry*> sorted;
  sorted.reserve(entries.size());
  for (const Entry& entry : entries) sorted.push_back(&entry);
  const std::size_t count = std::min(most, sorted.size());
  std::partial_sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count),
                    sorted.end(), [&](const Entry* a, const Entry* b) { return before(*a, *b); });
  sorted.resize(count);
  return sorted;
}

}  // namespace

/// Absent in the first look.
double Traffic::perSecond(std::uint64_t bytes) const {
  if (elapsed_seconds_ <= 0) return std::numeric_limits<double>::quiet_NaN();
  return std::round(static_cast<double>(bytes) / elapsed_seconds_);
}

void Traffic::tell(ReportBuilder& report, std::size_t top) const {
  tellPeers(report, top);
  tellServices(report);
  tellListeners(report);
}

void Traffic::tellPeers(ReportBuilder& report, std::size_t top) const {
  auto table = report.table(
      "peers", {"address", "port", "direction", "protocol", "connections", "bytes_sent_per_second",
                "bytes_received_per_second", "rtt_seconds", "retransmits"});
  for (const Peer* peer : first(peers_.entries(), top, busier<Peer>)) {
    if (!table.row()) return;
    table.text(peer->key.address.text());
    table.number(peer->key.port);
    table.text(nameOf(peer->key.direction));
    table.text("tcp");
    table.number(peer->counts.connections);
    table.number(perSecond(peer->counts.sent_bytes));
    table.number(perSecond(peer->counts.received_bytes));
    if (peer->rtt_count == 0)
      table.absent();
    else
      table.number(toThreeDigits(static_cast<double>(peer->rtt_sum_us) / peer->rtt_count / 1e6));
    if (elapsed_seconds_ > 0)
      table.number(peer->retransmits);
    else
      table.absent();
  }
}

void Traffic::tellServices(ReportBuilder& report) const {
  auto table =
      report.table("protocols", {"service", "port", "scope", "connections", "bytes_sent_per_second",
                                 "bytes_received_per_second", "share_ratio"});
  std::array<double, kScopes> totals{};
  std::array<Counts, kScopes> rest = other_services_;
  for (std::size_t scope = 0; scope < kScopes; ++scope)
    totals[scope] = static_cast<double>(rest[scope].bytes());
  for (const Service& service : services_.entries()) {
    const auto scope = static_cast<std::size_t>(service.key.scope);
    totals[scope] += static_cast<double>(service.counts.bytes());
  }
  const auto write = [&](std::string_view name, std::optional<std::uint16_t> port, Scope scope,
                         const Counts& counts) {
    if (!table.row()) return;
    table.text(name);
    port ? table.number(*port) : table.absent();
    table.text(nameOf(scope));
    table.number(counts.connections);
    table.number(perSecond(counts.sent_bytes));
    table.number(perSecond(counts.received_bytes));
    const auto share =
        ratioOf(static_cast<double>(counts.bytes()), totals[static_cast<std::size_t>(scope)]);
    share ? table.number(*share) : table.absent();
  };
  // Ports without a known name make up `other`, like those that are not among the busiest.
  std::vector<Service> named;
  for (const Service& service : services_.entries()) {
    if (!serviceName(service.key.port).empty()) {
      named.push_back(service);
    } else {
      rest[static_cast<std::size_t>(service.key.scope)].add(service.counts);
    }
  }
  std::sort(named.begin(), named.end(), busier<Service>);
  for (std::size_t i = 0; i < named.size(); ++i) {
    const auto& [key, counts] = named[i];
    if (i < kMaxServiceRows)
      write(serviceName(key.port), key.port, key.scope, counts);
    else
      rest[static_cast<std::size_t>(key.scope)].add(counts);
  }
  for (const Scope scope : {Scope::remote, Scope::loopback})
    if (const Counts& counts = rest[static_cast<std::size_t>(scope)]; counts.connections > 0)
      write("other", std::nullopt, scope, counts);
}

void Traffic::tellListeners(ReportBuilder& report) const {
  auto table = report.table("listeners", {"port", "address", "protocol", "accept_queue",
                                          "accept_queue_limit", "connections"});
  const auto fullest = [](const Listener& a, const Listener& b) {
    if (a.queue != b.queue) return a.queue > b.queue;
    if (a.connections != b.connections) return a.connections > b.connections;
    return a.key.port < b.key.port;
  };
  for (const Listener* listener : first(listeners_.entries(), kMaxListenerRows, fullest)) {
    if (!table.row()) return;
    table.number(listener->key.port);
    table.text(listener->key.address.text());
    table.text("tcp");
    table.number(listener->queue);
    table.number(listener->limit);
    table.number(listener->connections);
  }
}

}  // namespace virtseer::agent
