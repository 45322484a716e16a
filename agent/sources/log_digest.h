#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/source.h"
#include "agent/sources/log_kinds.h"

namespace virtseer::agent {

/// Makes few happenings of many entries: those of one shape are one happening with a count, and how
/// many are told is limited, per round and over time. All are counted. Entries above the priority
/// of a warning are only of use where they are of a known kind.
class LogDigest {
 public:
  struct Limits {
    std::size_t per_round = 20;
    /// Of those, what entries of no known kind may take; the rest is kept free for the others.
    std::size_t plain_per_round = 14;
    /// Happenings that may be told in a burst, and how many of them again in a minute.
    double burst = 80;
    double per_minute = 30;
    /// Of the burst, what is kept free of entries of no known kind.
    double reserved = 20;
  };

  LogDigest() : LogDigest(Limits{}) {}
  explicit LogDigest(const Limits& limits) : limits_(limits), tokens_(limits.burst) {}

  /// Where `earliest_ms` and `now_ms` are what is known of an entry that tells no time itself.
  void take(const LogEntry& entry, std::int64_t earliest_ms, std::int64_t now_ms);
  /// Takes a message that the kernel wrote before the agent's start: only faults and ended
  /// processes are told, the newest of them, and none is counted.
  void takePast(const LogEntry& entry);
  /// Entries that were never read.
  void setSkipped(std::uint64_t entries) { skipped_ = entries; }

  /// Tells what was taken, as far as there is room, and the counters.
  void report(Round& round);

 private:
  struct Told {
    std::uint64_t shape = 0;
    LogKind kind = LogKind::log;
    echo::Happening happening;
  };
  struct Crash {
    std::uint64_t pid = 0;
    bool kernel = false;
    std::int64_t at_ms = 0;
  };

  bool isDumped(const LogEntry& entry, const Finding& finding, std::int64_t at_us);
  bool isSecondNews(const LogEntry& entry, const Finding& finding, std::int64_t at_ms);
  bool hasRoom(LogKind kind);
  void addColumns(Columns& columns);

  Limits limits_;
  double tokens_;
  std::int64_t filled_ms_ = -1;  ///< when tokens were last added
  std::vector<Told> told_;
  std::vector<Told> past_;
  std::string oom_unit_;             ///< of the process that is about to be told as killed
  std::int64_t dump_until_us_ = -1;  ///< lines of a dump are expected until then
  std::int64_t fault_until_us_ = -1;
  std::array<Crash, 8> crashes_{};  ///< the last ones
  std::size_t next_crash_ = 0;

  std::uint64_t errors_ = 0;
  std::uint64_t warnings_ = 0;
  std::uint64_t suppressed_ = 0;
  std::uint64_t skipped_ = 0;
  std::array<std::uint64_t, kLogKinds> kinds_{};

  bool has_columns_ = false;
  Column errors_column_ = kNoColumn;
  Column warnings_column_ = kNoColumn;
  Column suppressed_column_ = kNoColumn;
  Column skipped_column_ = kNoColumn;
  std::array<Column, kLogKinds> kind_columns_{};
};

}  // namespace virtseer::agent
