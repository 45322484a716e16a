#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/file.h"
#include "agent/sources/process_files.h"
#include "agent/sources/process_stat.h"
#include "agent/sources/process_units.h"

namespace virtseer::agent {

/// So many rounds among those that use most make a process worth telling of.
inline constexpr std::uint8_t kTopRounds = 2;

/// One process as it was last seen. Rates are NaN until they are known.
struct Process {
  static constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
  /// When its files are to be read.
  enum class Due : std::uint8_t { no, in_turn, now };

  std::int32_t pid = 0;
  std::int32_t parent = 0;
  std::uint64_t start_ticks = 0;
  std::int64_t cpu_ns = 0;       ///< its own, when looked at last
  std::int64_t read_cpu_ns = 0;  ///< the same when its files were read last
  std::int64_t children_ns = 0;  ///< of those it waited for, when its files were read last
  std::int64_t ended_children_ns =
      0;  ///< what its ended children had used that is not in there yet
  std::int64_t looked_ms = 0;
  std::int64_t io_ms = 0;  ///< when the next two were read
  std::uint64_t read_bytes = 0, write_bytes = 0;
  float cpu_cores = kUnknown;
  float read_rate = kUnknown, write_rate = kUnknown;  ///< bytes per second
  std::uint32_t resident_pages = 0;
  std::uint32_t threads = 0;
  std::uint32_t user = 0;
  std::uint32_t looked_round = 0;
  std::uint32_t read_round = 0;
  ProcessUnits::Id unit = ProcessUnits::kOther;
  std::uint8_t reads = 0;       ///< saturating
  std::uint8_t active = 0;      ///< rounds that it is looked at without pause
  std::uint8_t top_rounds = 0;  ///< rounds among those that use most, once it lasts
  Due due = Due::now;
  char state = '?';
  ProcessName name;
  bool of_kernel : 1 = false;
  bool is_listed : 1 = false;   ///< in the sweep that `sweep_` names
  bool is_settled : 1 = false;  ///< its name and unit are its own, no longer those of its parent
  bool is_main : 1 = false;     ///< its unit stands and falls with it
  bool is_new : 1 = false;      ///< began under the agent's eyes
  bool has_user : 1 = false;    ///< `user` was read
  bool has_io : 1 = false;      ///< `read_bytes` and `write_bytes` were read
  bool is_io_denied : 1 = false;

  bool isKnown() const { return reads > 0; }
};

/// Follows the processes at a cost that depends on what they do, not on how many there are.
///
/// Each round the list of ids is read, and the CPU clocks of new processes, of those that were
/// active lately and of an eighth of the others in turn. If the system's own account shows CPU time
/// that these do not explain, all the others are looked at in the same round, so that whatever
/// becomes hot is seen at once. The files of a process (5 times as dear as its clock) are read when
/// it is new, has used CPU time since, or its turn has come. Where there are no clocks (recorded
/// trees), a look is a reading of its file.
class ProcessList {
 public:
  static constexpr std::size_t kMostProcesses = 16384;
  static constexpr std::size_t kListedPerRound = 2048;

  struct Counts {
    std::uint64_t processes = 0;  ///< listed in the last whole sweep
    std::uint64_t unfollowed = 0;
    std::uint64_t started = 0, ended = 0;  ///< since the first sweep
    std::uint64_t zombies = 0, uninterruptible = 0;
    std::uint64_t io_readable = 0, io_denied = 0;  ///< of the processes outside the kernel
  };

  /// `units` outlives this. Without a clock, CPU time comes from the processes' files.
  ProcessList(ProcessUnits& units, ProcessClock clock);

  std::expected<void, std::string> open(const std::string& root);
  /// Forgets all processes; what their units used stays.
  void close();

  /// One round. False: nothing can be told.
  bool update(std::int64_t now_ms, Scratch& scratch);

  /// By pid.
  std::span<Process> all() { return processes_; }
  Process* find(std::int32_t pid);
  const Counts& counts() const { return counts_; }

  /// Main processes, or such as used much, that ended in this round; as they were seen last.
  std::span<const Process> ended() const { return ended_; }
  /// Main processes that began and were recognised in this round.
  std::span<const std::int32_t> newMains() const { return new_mains_; }
  /// How many did not fit into these two lists, since the start.
  std::uint64_t untold() const { return untold_; }

  double secondsSinceStart(const Process& process) const;
  /// Reads the process's user, unless it is known.
  void readUser(Process& process);

 private:
  bool readSystem(Scratch& scratch);
  void list();
  void add(std::span<const std::int32_t> pids);
  void dropUnlisted();
  void forget(const Process& process);

  /// Goes on at `cursor` through at most `most` processes, while more than `reserve` of the round's
  /// time is left.
  template <typename Take>
  void visit(std::size_t& cursor, std::size_t most, int reserve, Take take) {
    const std::size_t size = processes_.size();
    most = std::min(most, size);
    for (std::size_t i = 0; i < most && left_us_ > reserve; ++i) {
      if (cursor >= size) cursor = 0;
      take(processes_[cursor++]);
    }
  }
  void look();
  void lookAt(Process& process);
  bool isUnexplained() const;
  void learnUnexplained(bool looked_at_all);
  void accountCpu(Process& process, std::int64_t cpu_ns);
  void accountChildren(Process& process, std::int64_t children_ns);

  void readDue();
  void read(Process& process);
  void meet(Process& process, const ProcessStat& stat);
  void readUnit(Process& process);
  void readIo(Process& process);
  void replace(Process& process);
  void settle(Process& process);
  void tally();
  double ageOf(const Process& process) const;
  std::int64_t nanoseconds(std::uint64_t ticks) const;

  ProcessUnits& units_;
  ProcessClock clock_;
  ProcessFiles files_;
  KernelFile uptime_file_, stat_file_;
  const std::int64_t tick_ns_;

  std::vector<Process> processes_;
  std::vector<std::int32_t> pids_;
  std::vector<Process> ended_;
  std::vector<std::int32_t> new_mains_;
  Counts counts_;
  std::uint64_t untold_ = 0;

  std::uint64_t listed_ = 0, unfollowed_ = 0;  ///< in the sweep that goes on
  bool sweep_ = true;
  bool swept_ = false;  ///< one sweep is done: what is not known since then is new

  std::uint32_t round_ = 0;
  std::int64_t now_ms_ = 0, last_ms_ = 0;
  std::uint64_t uptime_ticks_ = 0, first_ticks_ = 0;
  std::optional<std::uint64_t> busy_ticks_;  ///< the system's CPU time so far
  std::int64_t used_ns_ = -1;      ///< by the system since the round before; -1: not known
  std::int64_t explained_ns_ = 0;  ///< of that, what the processes looked at used
  double unexplained_share_ = 0;   ///< cores that even a look at all of them did not explain
  int left_us_ = 0;                ///< what this round's work may still cost, as estimated
  std::size_t active_cursor_ = 0, turn_cursor_ = 0, read_cursor_ = 0;
};

}  // namespace virtseer::agent
