// New TCP connections: by direction, and the peers that they are made with most.
#include <arpa/inet.h>

#include <algorithm>

#include "agent/sources/ebpf_accounts.h"
#include "agent/sources/ebpf_tally.h"

namespace virtseer::agent::ebpf {
namespace {

constexpr std::array<const char*, 3> kDirections{"out", "in", "failed"};

class ConnectionAccount : public Account {
 public:
  ConnectionAccount() { columns_.fill(kNoColumn); }

  void restart(const Loaded& loaded) override { map_ = loaded.maps[kConnectionsMap].get(); }

 private:
  void add(const Boards& boards, double factor) override {
    drain<bpf::connection_key>(map_, [&](bpf::connection_key& key, std::uint64_t counted) {
      if (key.direction < bpf::OUTWARD || key.direction > bpf::OUTWARD_FAILED) return;
      const double count = static_cast<double>(counted) * factor;
      counts_[key.direction - 1].add(count);
      // Who takes connections is known only from what it answers.
      if (key.direction == bpf::INWARD) nameService(boards.board(), key);
      made_.add(key, count);
    });
  }

  static void nameService(const bpf::board& board, bpf::connection_key& key) {
    const std::uint8_t slot = board.service_of_port[key.port];
    if (slot != 0 && slot < bpf::MAX_SERVICES)
      std::copy_n(board.services[slot].process, bpf::NAME_BYTES, key.process);
  }

  void tellCounters(Round& round) override {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] == kNoColumn)
        columns_[i] =
            round.columns.add("guest_tcp_connections_total", {{"direction", kDirections[i]}});
      round.row.set(columns_[i], counts_[i].value());
    }
  }

  void tellTable(Round& round, double seconds) override {
    auto table = round.report.table("connections",
                                    {"peer", "port", "direction", "process", "new_per_second"});
    for (const auto& made : made_.busiest(kRows)) {
      if (!table.row()) break;
      char peer[INET6_ADDRSTRLEN] = "";
      ::inet_ntop(made.key.ipv6 ? AF_INET6 : AF_INET, made.key.peer, peer, sizeof peer);
      table.text(peer);
      table.number(made.key.port);
      table.text(kDirections[made.key.direction - 1u]);
      const std::string_view process = nameIn(made.key.process);
      process.empty() ? table.absent() : table.text(process);
      table.number(rounded(made.count / seconds));
    }
    made_.clear();
  }

  int map_ = -1;
  Tally<bpf::connection_key> made_;
  std::array<Scaled, kDirections.size()> counts_;
  std::array<Column, kDirections.size()> columns_;
};

}  // namespace

std::unique_ptr<Account> makeConnectionAccount() {
  return std::make_unique<ConnectionAccount>();
}

}  // namespace virtseer::agent::ebpf
