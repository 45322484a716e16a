#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/file.h"

namespace virtseer::agent {

/// The CPU time of a process and all its threads so far, in nanoseconds; nothing if it is gone.
using ProcessClock = std::function<std::optional<std::int64_t>(std::int32_t pid)>;

/// The kernel's per-process clock (clock_getcpuclockid(3)): exact, asks for no right, and takes a
/// fraction of what opening and reading /proc/PID/stat does.
std::optional<std::int64_t> processCpuTime(std::int32_t pid);

/// /proc, held open: lists processes and reads their files into one buffer.
class ProcessFiles {
 public:
  enum class Failure { gone, denied, other };

  std::expected<void, std::string> open(const std::string& root);
  bool isOpen() const { return static_cast<bool>(directory_); }
  void close() { directory_.reset(); }

  /// Appends about `most` process ids at least, going on where the last call stopped. True: the
  /// list came to its end, and the next call begins a new one. False at an end: it failed.
  bool list(std::vector<std::int32_t>& pids, std::size_t most);

  /// The file's first bytes, until the next call.
  std::expected<std::string_view, Failure> read(std::int32_t pid, std::string_view name);

 private:
  Descriptor directory_;
  std::int64_t first_ = 0;  ///< where the processes begin
  bool within_ = false;
  alignas(8) std::array<char, 16 * 1024> buffer_;
};

}  // namespace virtseer::agent
