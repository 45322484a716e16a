// Calls of the functions that the configuration names.
#include "agent/sources/ebpf_accounts.h"
#include "agent/sources/ebpf_tally.h"

namespace virtseer::agent::ebpf {
namespace {

class LibraryAccount : public Account {
 public:
  explicit LibraryAccount(const std::vector<Config::Uprobe>& uprobes) {
    for (const Config::Uprobe& uprobe : uprobes) functions_.push_back({uprobe.name, {}, kNoColumn});
  }

  void restart(const Loaded& loaded) override {
    map_ = loaded.maps[kLibraryMap].get();
    for (Function& function : functions_) function.there = false;
    for (const auto& found : loaded.functions)
      if (found.index < functions_.size()) functions_[found.index].there = true;
  }

 private:
  struct Function {
    std::string name;
    Scaled count;
    Column column;
    bool there = false;
  };

  void add(const Boards&, double factor) override {
    drain<bpf::library_key>(map_, [&](const bpf::library_key& key, std::uint64_t counted) {
      if (key.function >= functions_.size()) return;
      const double count = static_cast<double>(counted) * factor;
      functions_[key.function].count.add(count);
      functions_[key.function].there = true;  // it may be attached later than others
      calls_.add(key, count);
    });
  }

  void tellCounters(Round& round) override {
    for (Function& function : functions_) {
      if (!function.there) continue;
      if (function.column == kNoColumn)
        function.column =
            round.columns.add("guest_library_calls_total", {{"function", function.name}});
      round.row.set(function.column, function.count.value());
    }
  }

  void tellTable(Round& round, double seconds) override {
    auto table = round.report.table("library_calls", {"function", "process", "calls_per_second"});
    for (const auto& calls : calls_.busiest(kRows)) {
      if (!table.row()) break;
      table.text(functions_[calls.key.function].name);
      table.text(nameIn(calls.key.process));
      table.number(rounded(calls.count / seconds));
    }
    calls_.clear();
  }

  int map_ = -1;
  std::vector<Function> functions_;
  Tally<bpf::library_key> calls_;
};

}  // namespace

std::unique_ptr<Account> makeLibraryAccount(const std::vector<Config::Uprobe>& uprobes) {
  return std::make_unique<LibraryAccount>(uprobes);
}

}  // namespace virtseer::agent::ebpf
