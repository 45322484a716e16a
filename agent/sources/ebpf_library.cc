// Calls of the functions that the configuration names.
#include <algorithm>

#include "agent/sources/ebpf_accounts.h"

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

  void count(const Boards&, const Duty::Taken& taken) override {
    calls_.clear();
    open_seconds_ = taken.open_seconds;
    drain<bpf::library_key>(map_, [&](const bpf::library_key& key, std::uint64_t count) {
      if (key.function >= functions_.size()) return;
      functions_[key.function].count.add(static_cast<double>(count) * taken.factor);
      calls_.push_back({key, count});
    });
  }

  void tell(Round& round, bool fresh) override {
    for (Function& function : functions_) {
      if (!function.there) continue;
      if (function.column == kNoColumn)
        function.column =
            round.columns.add("guest_library_calls_total", {{"function", function.name}});
      round.row.set(function.column, function.count.value());
    }
    if (fresh) tellTable(round);
  }

 private:
  struct Function {
    std::string name;
    Scaled count;
    Column column;
    bool there = false;
  };
  struct Calls {
    bpf::library_key key;
    std::uint64_t count;
  };

  void tellTable(Round& round) {
    const auto rows = static_cast<std::ptrdiff_t>(std::min(calls_.size(), kRows));
    std::partial_sort(calls_.begin(), calls_.begin() + rows, calls_.end(),
                      [](const Calls& a, const Calls& b) { return a.count > b.count; });
    auto table = round.report.table("library_calls", {"function", "process", "calls_per_second"});
    for (std::ptrdiff_t i = 0; i < rows && table.row(); ++i) {
      const Calls& calls = calls_[static_cast<std::size_t>(i)];
      table.text(functions_[calls.key.function].name);
      table.text(nameIn(calls.key.process));
      table.number(rounded(static_cast<double>(calls.count) / open_seconds_));
    }
  }

  int map_ = -1;
  double open_seconds_ = 0;
  std::vector<Function> functions_;
  std::vector<Calls> calls_;
};

}  // namespace

std::unique_ptr<Account> makeLibraryAccount(const std::vector<Config::Uprobe>& uprobes) {
  return std::make_unique<LibraryAccount>(uprobes);
}

}  // namespace virtseer::agent::ebpf
