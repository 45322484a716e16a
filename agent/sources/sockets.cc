#include <algorithm>
#include <array>
#include <ctime>

#include "agent/look_pace.h"
#include "agent/socket_dump.h"
#include "agent/source.h"
#include "agent/traffic.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMaxPeers = 64;

constexpr std::array<std::string_view, kScopes> kScopeNames{"remote", "loopback"};
/// By TcpState; those that are not told have no name.
constexpr std::array<std::string_view, kTcpStates> kStateNames{
    "", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "",
    "", "close_wait",  "last_ack", "",         "closing"};
constexpr std::array<std::string_view, 3> kQuantiles{"0.5", "0.95", "1"};

double cpuMicroseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

class SocketSource : public Source {
 public:
  std::string_view name() const override { return "sockets"; }

  std::expected<void, std::string> open(const std::string& root) override {
    if (!root.empty()) return std::unexpected("the running system's connections alone can be read");
    Scratch buffer;
    if (auto begun = dump_.begin(buffer); !begun) return begun;
    TcpSocket socket;
    const bool works = dump_.next(socket) || dump_.error().empty();
    dump_.close();
    if (!works) return std::unexpected(dump_.error());
    for (auto& scope : columns_) scope.fill();
    return {};
  }

  void read(Round& round) override {
    if (pace_.due()) look(round);
    if (looked_) setValues(round);
  }

  void select(bool on) override {
    if (on) return;
    dump_.close();
    traffic_ = {};
    pace_ = {};
    looked_ = false;
  }

  void setTop(std::size_t top) override { top_ = std::min(top, kMaxPeers); }

  std::string trouble() const override {
    if (!dump_.error().empty()) return dump_.error();
    if (!looked_ || traffic_.whole()) return {};
    return "there are more connections than the " + std::to_string(Traffic::kMaxSockets) +
           " that are looked at";
  }

 private:
  struct ScopeColumns {
    std::array<Column, kTcpStates> connections;
    std::array<Column, kQuantiles.size()> rtts;
    Column loss = kNoColumn;
    void fill() {
      connections.fill(kNoColumn);
      rtts.fill(kNoColumn);
    }
  };

  void look(Round& round) {
    const double before = cpuMicroseconds();
    if (!dump_.begin(round.scratch)) return pace_.failed();
    traffic_.begin(round.now_ms);
    TcpSocket socket;
    bool whole = true;
    while (whole && dump_.next(socket)) whole = traffic_.add(socket);
    if (!whole) dump_.close();
    traffic_.end(whole && dump_.error().empty());
    looked_ = dump_.error().empty();
    if (!looked_) return pace_.failed();
    cut_ += whole ? 0 : 1;
    traffic_.tell(round.report, top_);
    pace_.took(cpuMicroseconds() - before);
  }

  /// Between two looks the values of the last one stand.
  void setValues(Round& round) {
    for (std::size_t scope = 0; scope < kScopes; ++scope) {
      const Traffic::Summary& summary = traffic_.summary(static_cast<Scope>(scope));
      ScopeColumns& columns = columns_[scope];
      if (traffic_.whole()) setConnections(round, kScopeNames[scope], summary, columns);
      const std::array rtts{summary.median_rtt, summary.p95_rtt, summary.max_rtt};
      for (std::size_t i = 0; i < rtts.size(); ++i)
        if (rtts[i])
          set(round, columns.rtts[i], *rtts[i], "guest_tcp_rtt_seconds",
              {{"scope", kScopeNames[scope]}, {"probability", kQuantiles[i]}});
      if (summary.loss_ratio)
        set(round, columns.loss, *summary.loss_ratio, "guest_tcp_loss_ratio",
            {{"scope", kScopeNames[scope]}});
    }
    if (traffic_.whole())
      set(round, listeners_, static_cast<double>(traffic_.listeners()), "guest_tcp_listeners", {});
    set(round, cuts_, static_cast<double>(cut_), "guest_tcp_looks_cut_total", {});
  }

  /// A state in which no connection has been yet has no column.
  static void setConnections(Round& round, std::string_view scope, const Traffic::Summary& summary,
                             ScopeColumns& columns) {
    for (std::size_t state = 0; state < kTcpStates; ++state) {
      const std::uint32_t count = summary.connections[state];
      if (kStateNames[state].empty() || (count == 0 && columns.connections[state] == kNoColumn))
        continue;
      set(round, columns.connections[state], count, "guest_tcp_connections",
          {{"scope", scope}, {"state", kStateNames[state]}});
    }
  }

  static void set(Round& round, Column& column, double value, std::string_view metric,
                  std::initializer_list<Columns::Label> labels) {
    if (column == kNoColumn) column = round.columns.add(metric, labels);
    round.row.set(column, value);
  }

  SocketDump dump_;
  Traffic traffic_;
  LookPace pace_;
  bool looked_ = false;  ///< `traffic_` holds a look that did not fail
  std::uint64_t cut_ = 0;
  std::size_t top_ = 10;
  std::array<ScopeColumns, kScopes> columns_;
  Column listeners_ = kNoColumn;
  Column cuts_ = kNoColumn;
};

}  // namespace

SourcePointer makeSocketSource() {
  return std::make_unique<SocketSource>();
}

}  // namespace virtseer::agent
