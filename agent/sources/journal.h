#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "agent/file.h"
#include "agent/sources/journal_json.h"
#include "agent/sources/log_entry.h"

namespace virtseer::agent {

/// Follows systemd's journal through `journalctl --follow`, a child that is started anew when it
/// ends and then goes on behind the last entry that was read. Only warnings, errors, the kernel's
/// messages and systemd's news of restarts are asked for.
///
/// In each round a bounded number of bytes is read, less than the pipe holds; a full pipe holds the
/// child up.
/// Where that leaves the reading a minute behind, it skips to the present; nothing else is lost.
class Journal {
 public:
  /// Whether there is a journal below `root` that this process may read, and the program.
  /// Failure: what is not there or lacking.
  static std::expected<void, std::string> usable(const std::string& root);

  Journal() = default;
  ~Journal() { close(); }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Entries from now on are read, once `beginRound` is called.
  void open(const std::string& root);
  /// Ends the child.
  void close();

  /// Starts the child where it does not run and is due.
  void beginRound(std::int64_t now_ms);
  /// The next entry, until the next call; nothing: no more in this round. Reads into `scratch`.
  std::optional<LogEntry> next(Scratch& scratch, std::int64_t now_ms);

  /// Entries of any priority that were skipped, and lines that could not be understood.
  std::uint64_t skipped() const { return skipped_ + reader_.faults(); }
  /// Empty while it works.
  std::string trouble() const;

 private:
  void start();
  void stop();
  void ended(std::int64_t now_ms);
  void noteEntry(const LogEntry& entry);
  void skipIfLate(std::int64_t now_ms);

  std::string program_;
  JournalReader reader_;
  std::string_view rest_;  ///< of the bytes that were read last, not yet understood
  std::size_t round_bytes_ = 0;
  std::size_t round_limit_ = 0;
  std::int64_t last_us_ = -1;  ///< of the last entry, on the monotonic clock

  pid_t child_ = 0;
  Descriptor pipe_;
  std::int64_t since_us_ = 0;  ///< wall clock: where to begin while there is no cursor
  std::string cursor_;
  std::int64_t start_ms_ = INT64_MIN;  ///< not to be started before
  std::int64_t wait_ms_ = 0;
  unsigned failures_ = 0;  ///< ends in a row, without an entry between them

  std::uint64_t sequence_ = 0;  ///< of the last entry, as its cursor tells
  bool skipping_ = false;       ///< the next entry tells how many were left out
  std::uint64_t skipped_ = 0;
};

}  // namespace virtseer::agent
