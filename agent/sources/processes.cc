#include "agent/sources/processes.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "agent/sources/process_lifecycle.h"
#include "agent/sources/process_list.h"
#include "agent/sources/process_ranking.h"
#include "agent/sources/process_units.h"

namespace virtseer::agent {
namespace {

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

class ProcessesSource : public Source {
 public:
  explicit ProcessesSource(ProcessClock clock) : list_(units_, std::move(clock)) {}

  std::string_view name() const override { return "processes"; }

  std::expected<void, std::string> open(const std::string& root) override {
    root_ = root;
    return list_.open(root);
  }

  void select(bool on) override {
    if (on)
      (void)list_.open(root_);
    else
      list_.close();
  }

  void setTop(std::size_t top) override { top_ = std::min(top, ProcessRanking::kMost); }

  void read(Round& round) override {
    if (!list_.update(round.now_ms, round.scratch) || list_.all().empty()) return;
    const auto top = ranking_.rank(list_.all(), top_);
    units_.write(round, list_.all());
    writeTable(round.report, top);
    lifecycle_.tell(list_, units_, top, round.report, round.now_ms);
    writeCounts(round);
  }

  std::string trouble() const override {
    const ProcessList::Counts& counts = list_.counts();
    if (counts.unfollowed > 0) {
      char text[96];
      std::snprintf(text, sizeof text, "%llu processes beyond %zu are only counted",
                    static_cast<unsigned long long>(counts.unfollowed),
                    ProcessList::kMostProcesses);
      return text;
    }
    // A single one may be shielded even from root.
    if (counts.io_denied > counts.io_readable)
      return "what processes read and write is not told: CAP_SYS_PTRACE is missing";
    return {};
  }

 private:
  enum Count { all, unfollowed, started, ended, zombies, uninterruptible, untold, counts };

  void writeTable(ReportBuilder& report, std::span<const ProcessRanking::Place> top) {
    if (top.empty()) return;
    auto table =
        report.table("processes", {"pid", "parent_pid", "name", "unit", "user_id", "state",
                                   "started_seconds_ago", "threads", "cpu_cores", "memory_bytes",
                                   "read_bytes_per_second", "write_bytes_per_second", "top_by"});
    for (const auto& place : top) {
      Process& process = list_.all()[place.process];
      list_.readUser(process);
      if (!table.row()) return;
      table.number(process.pid);
      table.number(process.parent);
      table.text(process.name.view());
      const std::string_view unit = units_.name(process.unit);
      unit.empty() ? table.absent() : table.text(unit);
      process.has_user ? table.number(process.user) : table.absent();
      table.text({&process.state, 1});
      table.number(std::floor(list_.secondsSinceStart(process)));
      table.number(process.threads);
      table.number(rounded(process.cpu_cores, 1000));
      table.number(process.resident_pages * page_bytes_);
      table.number(rounded(process.read_rate, 1));
      table.number(rounded(process.write_rate, 1));
      table.text(ProcessRanking::reasons(place.by));
    }
  }

  void writeCounts(Round& round) {
    if (columns_[all] == kNoColumn) {
      const auto add = [&](Count count, std::string_view metric) {
        columns_[count] = round.columns.add(metric);
      };
      add(all, "guest_processes");
      add(unfollowed, "guest_processes_unfollowed");
      add(started, "guest_processes_started_total");
      add(ended, "guest_processes_ended_total");
      add(zombies, "guest_processes_zombie");
      add(uninterruptible, "guest_processes_uninterruptible");
      add(untold, "guest_process_happenings_left_out_total");
    }
    const ProcessList::Counts& now = list_.counts();
    const auto set = [&](Count count, std::uint64_t value) {
      round.row.set(columns_[count], static_cast<double>(value));
    };
    // Until the first list of a great many is complete, there is no count.
    if (now.processes > 0) set(all, now.processes);
    set(unfollowed, now.unfollowed);
    set(started, now.started);
    set(ended, now.ended);
    set(zombies, now.zombies);
    set(uninterruptible, now.uninterruptible);
    set(untold, lifecycle_.untold() + list_.untold());
  }

  std::string root_;
  ProcessUnits units_;
  ProcessList list_;
  ProcessRanking ranking_;
  ProcessLifecycle lifecycle_;
  std::size_t top_ = Config().top_processes;
  std::array<Column, counts> columns_{kNoColumn, kNoColumn, kNoColumn, kNoColumn,
                                      kNoColumn, kNoColumn, kNoColumn};
  const double page_bytes_ = static_cast<double>(::sysconf(_SC_PAGESIZE));
};

}  // namespace

SourcePointer makeProcessesSource() {
  return makeProcessesSource(nullptr);
}

SourcePointer makeProcessesSource(ProcessClock clock) {
  return std::make_unique<ProcessesSource>(std::move(clock));
}

}  // namespace virtseer::agent
