#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/file.h"

namespace virtseer::agent {

/// One message of the kernel's ring (Documentation/ABI/testing/dev-kmsg).
struct KernelRecord {
  int priority = 7;
  bool kernel = false;  ///< written by the kernel, not by a program into /dev/kmsg
  std::uint64_t sequence = 0;
  std::int64_t stamp_us = 0;  ///< on a clock of its own, which runs near the monotonic one
  std::string_view message;
};

/// Reads "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];MESSAGE" without its end; escaped bytes of the
/// message (\x5c) become themselves in `text`, which is to live as long as the record.
std::optional<KernelRecord> parseKernelRecord(std::string_view line, std::string& text);

/// Where records come from, as /dev/kmsg gives them.
class KernelRecords {
 public:
  virtual ~KernelRecords() = default;
  /// Bytes read, 0 at the end of a recorded file, or -errno: EAGAIN where no more is there, EPIPE
  /// where what came next was overwritten already.
  virtual ssize_t read(char* into, std::size_t room) = 0;
  /// Goes behind the newest record.
  virtual void toEnd() = 0;
};

/// Follows the kernel's messages. It starts at the oldest one that is still there.
class KernelLog {
 public:
  KernelLog() = default;
  explicit KernelLog(std::unique_ptr<KernelRecords> records) : records_(std::move(records)) {}

  /// Failure: the path, the reason, and what may be lacking.
  std::expected<void, std::string> open(const std::string& path);
  void close() { *this = {}; }
  explicit operator bool() const { return records_ != nullptr; }

  /// The next record, until the next call; nothing where no more is there for now.
  std::optional<KernelRecord> next();
  /// Leaves out what has not been read yet.
  void skip();

  /// Records that were overwritten or left out before they could be read.
  std::uint64_t lost() const { return lost_; }
  /// Bytes read since the start.
  std::uint64_t bytes() const { return bytes_; }

 private:
  bool fill();

  std::unique_ptr<KernelRecords> records_;
  std::string buffer_;  ///< what was read and not yet given
  std::size_t given_ = 0;
  std::string text_;
  std::optional<std::uint64_t> expected_;  ///< the sequence number that should come next
  std::uint64_t lost_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace virtseer::agent
