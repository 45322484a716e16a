#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

/// What the kernel's files of one process tell (proc(5)), without allocation.
namespace virtseer::agent {

/// A process's name as the kernel keeps it, cut off: bytes of the guest, not cleaned.
class ProcessName {
 public:
  ProcessName() = default;
  explicit ProcessName(std::string_view name)
      : size_(static_cast<std::uint8_t>(std::min(name.size(), bytes_.size()))) {
    std::copy_n(name.begin(), size_, bytes_.begin());
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 15> bytes_{};
  std::uint8_t size_ = 0;
};

/// Adds what is not negative, up to the type's end: nobody vouches for a sum of foreign numbers.
template <typename Number>
void addUpTo(Number& sum, Number more) {
  if (__builtin_add_overflow(sum, more, &sum)) sum = std::numeric_limits<Number>::max();
}

/// /proc/PID/stat. Times are in ticks of sysconf(_SC_CLK_TCK).
struct ProcessStat {
  ProcessName name;
  char state = '?';
  bool of_kernel = false;  ///< a kernel thread
  std::int32_t parent = 0;
  std::uint32_t threads = 0;
  std::uint64_t cpu_ticks = 0;       ///< its own
  std::uint64_t children_ticks = 0;  ///< of the descendants that it has waited for
  std::uint64_t start_ticks = 0;     ///< since the system started
  std::uint64_t resident_pages = 0;
};

/// Nothing where a field is missing or no number. The name may hold any byte, brackets included.
std::optional<ProcessStat> parseProcessStat(std::string_view text);

/// /proc/PID/io: what went to and came from storage.
struct ProcessIo {
  std::uint64_t read_bytes = 0;
  std::uint64_t write_bytes = 0;
};

std::optional<ProcessIo> parseProcessIo(std::string_view text);

/// The effective user of /proc/PID/status.
std::optional<std::uint32_t> parseUser(std::string_view text);

}  // namespace virtseer::agent
