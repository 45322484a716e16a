// System calls: by class, errors by number, and the busiest of processes and calls.
#include "agent/sources/ebpf_accounts.h"
#include "agent/sources/ebpf_tally.h"
#include "ebpf/syscall_names.h"

namespace virtseer::agent::ebpf {
namespace {

/// Error numbers with a series of their own; what comes later is told together.
constexpr std::size_t kErrors = 16;

class SyscallAccount : public Account {
 public:
  SyscallAccount() {
    classes_.fill(kNoColumn);
    error_of_.fill(-1);
  }

  void restart(const Loaded& loaded) override {
    map_ = loaded.maps[kSyscallsMap].get();
    // What the loader measured itself with is not told.
    drain<bpf::syscall_key>(map_, [](const bpf::syscall_key&, std::uint64_t) {});
    last_errors_.fill(0);
  }

 private:
  void add(const Boards& boards, double factor) override {
    drain<bpf::syscall_key>(map_, [&](const bpf::syscall_key& key, std::uint64_t counted) {
      const double calls = static_cast<double>(static_cast<std::uint32_t>(counted)) * factor;
      const auto errors = static_cast<double>(counted >> bpf::ERRORS_SHIFT) * factor;
      calls_.add(key, calls, errors);
      counts_[static_cast<std::size_t>(classOf(key.number))].add(calls);
    });
    for (std::size_t i = 0; i < bpf::MAX_ERRNO; ++i) {
      const std::uint64_t now = peek(boards.board().errors[i]);
      const std::uint64_t added = now - last_errors_[i];
      last_errors_[i] = now;
      if (added > 0) errors_[errorPlace(i)].count.add(static_cast<double>(added) * factor);
    }
  }

  void tellCounters(Round& round) override {
    for (std::size_t i = 0; i < kCallClasses; ++i) {
      if (classes_[i] == kNoColumn)
        classes_[i] = round.columns.add("guest_syscalls_total",
                                        {{"class", nameOf(static_cast<CallClass>(i))}});
      round.row.set(classes_[i], counts_[i].value());
    }
    for (Error& error : errors_) {
      if (error.count.value() <= 0) continue;
      if (error.column == kNoColumn)
        error.column = round.columns.add("guest_syscall_errors_total", {{"errno", error.name}});
      round.row.set(error.column, error.count.value());
    }
  }

  void tellTable(Round& round, double seconds) override {
    auto table = round.report.table(
        "syscalls", {"process", "syscall", "calls_per_second", "errors_per_second"});
    for (const auto& call : calls_.busiest(kRows)) {
      if (!table.row()) break;
      table.text(nameIn(call.key.process));
      table.text(callName(call.key.number));
      table.number(rounded(call.count / seconds));
      table.number(rounded(call.errors / seconds));
    }
    calls_.clear();
  }

  struct Error {
    std::string name;
    Scaled count;
    Column column = kNoColumn;
  };

  /// The place of an error number's counter; the first one is that of all others.
  std::size_t errorPlace(std::size_t number) {
    if (error_of_[number] < 0) {
      if (errors_.empty()) errors_.push_back({"other", {}, kNoColumn});
      error_of_[number] = 0;
      if (number != 0 && errors_.size() < kErrors) {
        error_of_[number] = static_cast<int>(errors_.size());
        errors_.push_back({errorName(static_cast<int>(number)), {}, kNoColumn});
      }
    }
    return static_cast<std::size_t>(error_of_[number]);
  }

  int map_ = -1;
  Tally<bpf::syscall_key> calls_;
  std::array<Scaled, kCallClasses> counts_;
  std::array<Column, kCallClasses> classes_;
  std::array<std::uint64_t, bpf::MAX_ERRNO> last_errors_{};
  std::array<int, bpf::MAX_ERRNO> error_of_;
  std::vector<Error> errors_;
};

}  // namespace

std::unique_ptr<Account> makeSyscallAccount() {
  return std::make_unique<SyscallAccount>();
}

}  // namespace virtseer::agent::ebpf
