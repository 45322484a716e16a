// Requests to listening services, by port.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "agent/sources/ebpf_accounts.h"

namespace virtseer::agent::ebpf {
namespace {

/// Ports that ever get series of their own; further ones are in the table alone.
constexpr std::size_t kPorts = 32;
/// A service that was not asked for so long gives its place to others.
constexpr std::int64_t kIdleMs = 600'000;

constexpr std::array<const char*, 6> kClasses{nullptr, "1xx", "2xx", "3xx", "4xx", "5xx"};

/// A counter of the board, and what was added to it in the round.
class Added {
 public:
  /// Gives what was added since the last look, scaled.
  double take(const __u64& word, double factor) {
    const std::uint64_t now = peek(word);
    const double added = static_cast<double>(now - last_) * factor;
    last_ = now;
    round_ += added;
    return added;
  }
  double value() const { return round_; }
  void endRound() { round_ = 0; }

 private:
  std::uint64_t last_ = 0;
  double round_ = 0;
};

/// What is told of a port for ever.
struct Port {
  std::uint16_t number;
  Scaled requests, request_bytes, response_bytes;
  std::array<Scaled, 6> responses;
  std::array<Column, 3> columns{kNoColumn, kNoColumn, kNoColumn};
  std::array<Column, 6> response_columns{kNoColumn, kNoColumn, kNoColumn,
                                         kNoColumn, kNoColumn, kNoColumn};
  std::array<Column, 2> latency_columns{kNoColumn, kNoColumn};
};

/// One place of the programs' board.
struct Service {
  std::uint64_t port = 0;
  std::string process;
  Added requests, request_bytes, response_bytes;
  std::array<Added, 6> responses;
  BucketCounts latency_counts;
  ScaledBuckets latency{};  ///< of the round
  std::int64_t asked_ms = 0;

  void endRound() {
    for (Added* counter : {&requests, &request_bytes, &response_bytes}) counter->endRound();
    for (Added& counter : responses) counter.endRound();
    latency.fill(0);
  }
  double failed() const { return responses[5].value(); }
  double classified() const {
    double sum = 0;
    for (std::size_t i = 1; i < responses.size(); ++i) sum += responses[i].value();
    return sum;
  }
};

class ServiceAccount : public Account {
 public:
  void restart(const Loaded&) override {
    for (Service& service : services_) service = {};
  }

 private:
  void add(const Boards& boards, double factor) override {
    boards_ = &boards;
    for (std::size_t slot = 1; slot < bpf::MAX_SERVICES; ++slot) {
      const bpf::service_board& board = boards.board().services[slot];
      Service& service = services_[slot];
      const std::uint64_t port = peek(board.port);
      if (port == 0) continue;
      service.port = port;
      add(service, board, factor);
    }
  }

  void add(Service& service, const bpf::service_board& board, double factor) {
    const double requests = service.requests.take(board.requests, factor);
    const double request_bytes = service.request_bytes.take(board.request_bytes, factor);
    const double response_bytes = service.response_bytes.take(board.response_bytes, factor);
    std::array<double, 6> responses{};
    for (std::size_t i = 1; i < responses.size(); ++i)
      responses[i] = service.responses[i].take(board.responses[i], factor);
    service.latency_counts.read(board.latency);
    const auto& latency = service.latency_counts.added();
    for (std::size_t i = 0; i < latency.size(); ++i)
      service.latency[i] += static_cast<double>(latency[i]) * factor;
    if (requests <= 0 && request_bytes <= 0) return;
    service.process = nameIn(board.process);
    Port* port = find(service.port);
    if (port == nullptr) return;
    port->requests.add(requests);
    port->request_bytes.add(request_bytes);
    port->response_bytes.add(response_bytes);
    for (std::size_t i = 1; i < responses.size(); ++i) port->responses[i].add(responses[i]);
  }

  void tellCounters(Round& round) override {
    for (Port& port : ports_) tellPort(round, port);
  }

  void tellTable(Round& round, double seconds) override {
    tellRows(round, seconds);
    const bool is_full = std::all_of(services_.begin() + 1, services_.end(),
                                     [](const Service& service) { return service.port != 0; });
    for (std::size_t slot = 1; slot < bpf::MAX_SERVICES; ++slot) {
      if (isIdle(services_[slot], round.now_ms) && is_full) retire(slot);
      services_[slot].endRound();
    }
  }

  Port* find(std::uint64_t number) {
    for (Port& port : ports_)
      if (port.number == number) return &port;
    if (ports_.size() >= kPorts) return nullptr;
    ports_.push_back({});
    ports_.back().number = static_cast<std::uint16_t>(number);
    return &ports_.back();
  }

  static std::string text(std::uint16_t port) { return std::to_string(port); }

  void tellPort(Round& round, Port& port) const {
    constexpr std::array<const char*, 3> kNames{"guest_service_requests_total",
                                                "guest_service_request_bytes_total",
                                                "guest_service_response_bytes_total"};
    const std::array<double, 3> values{port.requests.value(), port.request_bytes.value(),
                                       port.response_bytes.value()};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      if (port.columns[i] == kNoColumn)
        port.columns[i] = round.columns.add(kNames[i], {{"port", text(port.number)}});
      round.row.set(port.columns[i], values[i]);
    }
    for (std::size_t i = 1; i < port.responses.size(); ++i) {
      if (port.responses[i].value() <= 0) continue;
      if (port.response_columns[i] == kNoColumn)
        port.response_columns[i] = round.columns.add(
            "guest_service_responses_total", {{"port", text(port.number)}, {"class", kClasses[i]}});
      round.row.set(port.response_columns[i], port.responses[i].value());
    }
    tellLatency(round, port);
  }

  void tellLatency(Round& round, Port& port) const {
    const auto service =
        std::find_if(services_.begin(), services_.end(), [&](const Service& candidate) {
          return candidate.port == port.number && candidate.requests.value() > 0;
        });
    if (service == services_.end()) return;
    constexpr std::array<const char*, 2> kProbabilities{"0.5", "0.95"};
    const std::array<double, 2> values{quantile(service->latency, 0.5),
                                       quantile(service->latency, 0.95)};
    for (std::size_t i = 0; i < kProbabilities.size(); ++i) {
      if (port.latency_columns[i] == kNoColumn)
        port.latency_columns[i] =
            round.columns.add("guest_service_latency_seconds",
                              {{"port", text(port.number)}, {"probability", kProbabilities[i]}});
      round.row.set(port.latency_columns[i], rounded(values[i]));
    }
  }

  void tellRows(Round& round, double seconds) const {
    auto table =
        round.report.table("services", {"port", "process", "requests_per_second", "errors_ratio",
                                        "latency_p50_seconds", "latency_p95_seconds",
                                        "request_bytes_per_second", "response_bytes_per_second"});
    for (const Service& service : services_) {
      const double requests = service.requests.value();
      if (service.port == 0 || requests <= 0 || !table.row()) continue;
      table.number(static_cast<double>(service.port));
      table.text(service.process);
      table.number(rounded(requests / seconds));
      const double classified = service.classified();
      classified > 0 ? table.number(rounded(service.failed() / classified)) : table.absent();
      table.number(rounded(quantile(service.latency, 0.5)));
      table.number(rounded(quantile(service.latency, 0.95)));
      table.number(rounded(service.request_bytes.value() / seconds));
      table.number(rounded(service.response_bytes.value() / seconds));
    }
  }

  static bool isIdle(Service& service, std::int64_t now_ms) {
    if (service.port == 0) return false;
    if (service.asked_ms == 0 || service.request_bytes.value() > 0) service.asked_ms = now_ms + 1;
    return now_ms - service.asked_ms >= kIdleMs;
  }

  /// Frees the place of a service for others.
  void retire(std::size_t slot) {
    Service& service = services_[slot];
    bpf::board& board = boards_->board();
    __u8& place = board.service_of_port[service.port & 0xffff];
    if (place == slot) place = 0;
    // The counters of a place only grow; its port and its process's name are given up.
    std::memset(board.services[slot].process, 0, bpf::NAME_BYTES);
    __atomic_store_n(&board.services[slot].port, 0, __ATOMIC_RELEASE);
    service.port = 0;
    service.asked_ms = 0;
  }

  const Boards* boards_ = nullptr;  ///< lives as long as what was counted last is told
  std::array<Service, bpf::MAX_SERVICES> services_;
  std::vector<Port> ports_;
};

}  // namespace

std::unique_ptr<Account> makeServiceAccount() {
  return std::make_unique<ServiceAccount>();
}

}  // namespace virtseer::agent::ebpf
