#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "ebpf/boards.h"

namespace virtseer::ebpf {

/// A counter of scaled counts, told as a whole number.
class Scaled {
 public:
  void add(double count) { value_ += count; }
  double value() const { return static_cast<double>(static_cast<std::uint64_t>(value_ + 0.5)); }

 private:
  double value_ = 0;
};

/// Counts of one of the programs' histograms, and what was added since they were looked at last.
class BucketCounts {
 public:
  void restart() { last_.fill(0); }
  void read(const __u64 (&buckets)[bpf::BUCKETS]) {
    for (std::size_t i = 0; i < bpf::BUCKETS; ++i) sum_[i] += peek(buckets[i]);
  }
  /// Moves on to the next look.
  const std::array<std::uint64_t, bpf::BUCKETS>& added();

 private:
  std::array<std::uint64_t, bpf::BUCKETS> sum_{};
  std::array<std::uint64_t, bpf::BUCKETS> last_{};
  std::array<std::uint64_t, bpf::BUCKETS> added_{};
};

/// The sum of nanoseconds that the programs keep, as seconds added since the last look.
class AddedSeconds {
 public:
  void restart() { last_ = 0; }
  double take(std::uint64_t sum) {
    const std::uint64_t added = sum - last_;
    last_ = sum;
    return static_cast<double>(added) / 1e9;
  }

 private:
  std::uint64_t last_ = 0;
};

/// The bound of a bucket in seconds, as text.
std::string boundText(std::size_t bucket);

/// Counts that were scaled, by bucket.
using ScaledBuckets = std::array<double, bpf::BUCKETS>;

/// The time below which `share` of these events lie, in seconds; they must not be none.
double quantile(const ScaledBuckets& counts, double share);

}  // namespace virtseer::ebpf
