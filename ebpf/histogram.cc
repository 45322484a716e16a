#include "ebpf/histogram.h"

#include <cmath>
#include <cstdio>
#include <numeric>

namespace virtseer::ebpf {
namespace {

constexpr double kMicrosecond = 1e-6;

}  // namespace

std::string boundText(std::size_t bucket) {
  if (bucket + 1 == bpf::BUCKETS) return "+Inf";
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", std::ldexp(kMicrosecond, static_cast<int>(bucket)));
  std::string bound = text;
  bound.erase(bound.find_last_not_of('0') + 1);
  if (bound.ends_with('.')) bound.pop_back();
  return bound;
}

const std::array<std::uint64_t, bpf::BUCKETS>& BucketCounts::added() {
  for (std::size_t i = 0; i < bpf::BUCKETS; ++i) {
    added_[i] = sum_[i] - last_[i];
    last_[i] = sum_[i];
    sum_[i] = 0;
  }
  return added_;
}

double quantile(const ScaledBuckets& counts, double share) {
  const double all = std::accumulate(counts.begin(), counts.end(), 0.0);
  double below = 0;
  for (std::size_t i = 0; i + 1 < bpf::BUCKETS; ++i) {
    const double here = counts[i];
    const double bound = std::ldexp(kMicrosecond, static_cast<int>(i));
    if (here > 0 && below + here >= share * all)
      return i == 0 ? bound : bound / 2 * (1 + (share * all - below) / here);
    below += here;
  }
  return std::ldexp(kMicrosecond, bpf::BUCKETS - 2);
}

}  // namespace virtseer::ebpf
