#include <array>
#include <optional>
#include <span>

#include "agent/fields.h"
#include "agent/scan.h"
#include "agent/source.h"

namespace virtseer::agent {
namespace {

/// What the counters mean: the kernel's Documentation/networking/snmp_counter.rst, RFC 1213 and
/// RFC 4022. TCP's are those of IPv4 and IPv6 together, UDP's of IPv4 alone.
constexpr std::array<std::string_view, 10> kTcpNames{
    "ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets", "CurrEstab",
    "InSegs",      "OutSegs",      "RetransSegs",  "InErrs",      "OutRsts"};
constexpr std::array<std::string_view, kTcpNames.size()> kTcpMetrics{
    "guest_tcp_active_opens_total",   "guest_tcp_passive_opens_total",
    "guest_tcp_failed_opens_total",   "guest_tcp_resets_total",
    "guest_tcp_established",          "guest_tcp_received_segments_total",
    "guest_tcp_sent_segments_total",  "guest_tcp_retransmitted_segments_total",
    "guest_tcp_receive_errors_total", "guest_tcp_sent_resets_total"};

constexpr std::array<std::string_view, 6> kUdpNames{"InDatagrams",  "NoPorts",      "InErrors",
                                                    "OutDatagrams", "RcvbufErrors", "SndbufErrors"};
constexpr std::array<std::string_view, kUdpNames.size()> kUdpMetrics{
    "guest_udp_received_datagrams_total",    "guest_udp_no_port_total",
    "guest_udp_receive_errors_total",        "guest_udp_sent_datagrams_total",
    "guest_udp_receive_buffer_errors_total", "guest_udp_send_buffer_errors_total"};

constexpr std::array<std::string_view, 4> kExtendedNames{"ListenOverflows", "ListenDrops",
                                                         "TCPTimeouts", "TCPSynRetrans"};
constexpr std::array<std::string_view, kExtendedNames.size()> kExtendedMetrics{
    "guest_tcp_listen_overflows_total", "guest_tcp_listen_drops_total", "guest_tcp_timeouts_total",
    "guest_tcp_syn_retransmits_total"};

/// Counters of one line, each with its column.
template <std::size_t N>
class Line {
 public:
  Line(std::string_view prefix, const std::array<std::string_view, N>& names,
       const std::array<std::string_view, N>& metrics)
      : fields_(prefix, names), metrics_(metrics) {
    columns_.fill(kNoColumn);
  }

  void read(Round& round, std::string_view content) {
    fields_.read(content);
    for (std::size_t i = 0; i < N; ++i) {
      if (!fields_[i]) continue;
      if (columns_[i] == kNoColumn) columns_[i] = round.columns.add(metrics_[i]);
      round.row.set(columns_[i], static_cast<double>(*fields_[i]));
    }
  }

 private:
  FieldPairs fields_;
  std::span<const std::string_view, N> metrics_;
  std::array<Column, N> columns_;
};

class TcpSource : public Source {
 public:
  std::string_view name() const override { return "tcp"; }

  /// Some kernels lack /proc/net/netstat or sockstat: what they would tell is missing then.
  std::expected<void, std::string> open(const std::string& root) override {
    if (auto opened = netstat_.open(root + "/proc/net/netstat"); !opened) trouble_ = opened.error();
    if (auto opened = sockstat_.open(root + "/proc/net/sockstat"); !opened)
      trouble_ = opened.error();
    return snmp_.open(root + "/proc/net/snmp");
  }

  void read(Round& round) override {
    if (const auto content = snmp_.read(round.scratch)) {
      tcp_.read(round, *content);
      udp_.read(round, *content);
    }
    if (const auto content = netstat_.read(round.scratch)) extended_.read(round, *content);
    if (const auto content = sockstat_.read(round.scratch)) readSockets(round, *content);
  }

  std::string trouble() const override { return trouble_; }

 private:
  /// "TCP: inuse 1 orphan 0 tw 0 alloc 7 mem 0"
  void readSockets(Round& round, std::string_view content) {
    while (!content.empty()) {
      std::string_view line = takeLine(content);
      if (takeWord(line) != "TCP:") continue;
      for (std::string_view word = takeWord(line); !word.empty(); word = takeWord(line)) {
        const auto value = takeNumber(line);
        if (!value) continue;
        if (word == "orphan") set(round, orphans_, "guest_tcp_orphans", *value);
        if (word == "tw") set(round, time_wait_, "guest_tcp_time_wait", *value);
      }
      return;
    }
  }

  static void set(Round& round, Column& column, std::string_view metric, std::uint64_t value) {
    if (column == kNoColumn) column = round.columns.add(metric);
    round.row.set(column, static_cast<double>(value));
  }

  KernelFile snmp_;
  KernelFile netstat_;
  KernelFile sockstat_;
  std::string trouble_;
  Line<kTcpNames.size()> tcp_{"Tcp:", kTcpNames, kTcpMetrics};
  Line<kUdpNames.size()> udp_{"Udp:", kUdpNames, kUdpMetrics};
  Line<kExtendedNames.size()> extended_{"TcpExt:", kExtendedNames, kExtendedMetrics};
  Column orphans_ = kNoColumn;
  Column time_wait_ = kNoColumn;
};

}  // namespace

SourcePointer makeTcpSource() {
  return std::make_unique<TcpSource>();
}

}  // namespace virtseer::agent
