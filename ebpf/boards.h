#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "ebpf/loaded.h"
#include "ebpf/programs/board.h"

namespace virtseer::ebpf {

/// Pages of a map of the kernel in this process's memory.
class Pages {
 public:
  Pages() = default;
  Pages(int map, std::size_t bytes, std::size_t offset, bool writable);
  Pages(Pages&& other) noexcept
      : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Pages();

  void* start() const { return start_; }
  explicit operator bool() const { return start_ != nullptr; }

 private:
  void* start_ = nullptr;
  std::size_t bytes_ = 0;
};

/// What the programs and the agent share, read and written without a system call.
class Boards {
 public:
  /// Failure: what cannot be mapped.
  std::string open(const Loaded& loaded);

  bpf::board& board() const { return *static_cast<bpf::board*>(board_.start()); }
  std::span<const bpf::cpu_board> cpus() const {
    return {static_cast<const bpf::cpu_board*>(cpus_.start()), cpu_count_};
  }
  /// Forgets which gates were said to have closed: the gates themselves tell.
  void takeClosings() const;

 private:
  Pages board_;
  Pages cpus_;
  Pages taken_;   ///< of the ring of closings: how far it was read
  Pages filled_;  ///< and how far it was written
  std::size_t cpu_count_ = 0;
};

/// A word that a program in the kernel may change at any time.
inline std::uint64_t peek(const __u64& word) {
  return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

/// The monotonic clock in nanoseconds, the programs' own.
std::int64_t monoNs();

}  // namespace virtseer::ebpf
