// New TCP connections: by direction, and the peers that they are made with most.
#include <arpa/inet.h>

#include <algorithm>

#include "agent/sources/ebpf_accounts.h"

namespace virtseer::agent::ebpf {
namespace {

constexpr std::array<const char*, 3> kDirections{"out", "in", "failed"};

class ConnectionAccount : public Account {
 public:
  ConnectionAccount() { columns_.fill(kNoColumn); }

  void restart(const Loaded& loaded) override { map_ = loaded.maps[kConnectionsMap].get(); }

  void count(const Boards& boards, const Duty::Taken& taken) override {
    made_.clear();
    open_seconds_ = taken.open_seconds;
    drain<bpf::connection_key>(map_, [&](const bpf::connection_key& key, std::uint64_t count) {
      if (key.direction < bpf::OUTWARD || key.direction > bpf::OUTWARD_FAILED) return;
      counts_[key.direction - 1].add(static_cast<double>(count) * taken.factor);
      made_.push_back({key, count});
    });
    // Who takes connections is known only from what it answers.
    for (Made& made : made_) {
      if (made.key.direction != bpf::INWARD) continue;
      const std::uint8_t slot = boards.board().service_of_port[made.key.port];
      if (slot != 0 && slot < bpf::MAX_SERVICES)
        std::copy_n(boards.board().services[slot].process, bpf::NAME_BYTES, made.key.process);
    }
  }

  void tell(Round& round, bool fresh) override {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] == kNoColumn)
        columns_[i] =
            round.columns.add("guest_tcp_connections_total", {{"direction", kDirections[i]}});
      round.row.set(columns_[i], counts_[i].value());
    }
    if (fresh) tellTable(round);
  }

 private:
  struct Made {
    bpf::connection_key key;
    std::uint64_t count;
  };

  void tellTable(Round& round) {
    const auto rows = static_cast<std::ptrdiff_t>(std::min(made_.size(), kRows));
    std::partial_sort(made_.begin(), made_.begin() + rows, made_.end(),
                      [](const Made& a, const Made& b) { return a.count > b.count; });
    auto table = round.report.table("connections",
                                    {"peer", "port", "direction", "process", "new_per_second"});
    for (std::ptrdiff_t i = 0; i < rows && table.row(); ++i) {
      const Made& made = made_[static_cast<std::size_t>(i)];
      char peer[INET6_ADDRSTRLEN] = "";
      ::inet_ntop(made.key.ipv6 ? AF_INET6 : AF_INET, made.key.peer, peer, sizeof peer);
      table.text(peer);
      table.number(made.key.port);
      table.text(kDirections[made.key.direction - 1u]);
      const std::string_view process = nameIn(made.key.process);
      process.empty() ? table.absent() : table.text(process);
      table.number(rounded(static_cast<double>(made.count) / open_seconds_));
    }
  }

  int map_ = -1;
  double open_seconds_ = 0;
  std::vector<Made> made_;
  std::array<Scaled, kDirections.size()> counts_;
  std::array<Column, kDirections.size()> columns_;
};

}  // namespace

std::unique_ptr<Account> makeConnectionAccount() {
  return std::make_unique<ConnectionAccount>();
}

}  // namespace virtseer::agent::ebpf
