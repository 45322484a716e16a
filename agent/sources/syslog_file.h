#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "agent/file.h"
#include "agent/sources/log_entry.h"

namespace virtseer::agent {

/// Reads a line of a log file as rsyslog, syslog-ng and busybox write them:
///   Nov 26 15:57:46 HOST NAME[PID]: MESSAGE                        (RFC 3164's time)
///   2026-11-26T15:57:46.123456+00:00 HOST NAME[PID]: MESSAGE       (RFC 3339's time)
///   Nov 26 15:57:46 HOST daemon.err NAME[PID]: MESSAGE             (busybox)
///   <PRI>1 TIME HOST NAME PID ID [DATA] MESSAGE                    (RFC 5424)
/// Where the priority is not told, words such as "error", "failed" or "warning" stand for it, and
/// what holds none of them is taken as information. Nothing: it is no such line.
std::optional<LogEntry> parseSyslogLine(std::string_view line);

/// Follows a file from its end, over its rotation (renamed, or truncated).
class SyslogFile {
 public:
  /// Failure: the path, the reason, and what may be lacking.
  std::expected<void, std::string> open(const std::string& path);
  void close() { *this = {}; }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  const std::string& path() const { return path_; }

  /// To be called before `next`, once a round: looks for a rotation.
  void look();
  /// The next whole line, until the next call; nothing where no more is there for now. A long line
  /// is cut.
  std::optional<std::string_view> next();
  /// Leaves out what has not been read yet.
  void skip();

  /// Bytes that were read since the start, and that are still to be read.
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t behind() const;
  /// Lines that were left out: what their bytes amount to at the mean length of those read.
  std::uint64_t skipped() const { return skipped_; }

 private:
  bool fill();
  bool reopen(bool at_end);

  std::string path_;
  Descriptor fd_;
  Descriptor newer_;  ///< the file's successor, read once this one has been
  std::string buffer_;
  std::size_t given_ = 0;
  bool cutting_ = false;  ///< the rest of a long line is to be left out
  std::uint64_t bytes_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t skipped_ = 0;
};

}  // namespace virtseer::agent
