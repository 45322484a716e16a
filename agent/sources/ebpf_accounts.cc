#include "agent/sources/ebpf_accounts.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

namespace virtseer::agent::ebpf {

double rounded(double value) {
  if (!(value > 0) || !std::isfinite(value)) return value;
  const double step = std::pow(10.0, std::floor(std::log10(value)) - 2);
  return step >= 1 ? std::round(value) : std::round(value / step) / std::round(1 / step);
}

std::size_t Batches::next(void* keys, std::uint64_t* counts, std::size_t most) {
  if (!more_ || map_ < 0) return 0;
  auto size = static_cast<std::uint32_t>(most);
  std::uint32_t after = 0;
  const int result = bpf_map_lookup_and_delete_batch(map_, begun_ ? &place_ : nullptr, &after, keys,
                                                     counts, &size, nullptr);
  begun_ = true;
  place_ = after;
  more_ = result == 0;
  // ENOENT tells the end, together with the last entries.
  return result == 0 || errno == ENOENT ? size : 0;
}

void Histogram::add(const std::array<std::uint64_t, bpf::BUCKETS>& counts, double seconds,
                    double factor) {
  if (factor == 0) return;
  for (std::size_t i = 0; i < bpf::BUCKETS; ++i) {
    if (counts[i] == 0) continue;
    buckets_[i] += static_cast<double>(counts[i]) * factor;
    first_ = std::min(first_, i == 0 ? i : i - 1);
    last_ = std::max(last_, i);
  }
  seconds_ += seconds * factor;
}

Column Histogram::addColumn(Columns& columns, const std::string& metric,
                            std::string_view bound) const {
  constexpr std::string_view kBound = "up_to_seconds";
  if (labels_.empty()) {
    if (bound.empty()) return columns.add(metric);
    return columns.add(metric, {{kBound, bound}});
  }
  const Columns::Label first = labels_[0], second = labels_[1];
  if (bound.empty()) return columns.add(metric, {first, second});
  return columns.add(metric, {first, second, {kBound, bound}});
}

void Histogram::tell(Round& round) {
  if (first_ == bpf::BUCKETS) return;
  double up_to = 0;
  for (std::size_t i = 0; i < bpf::BUCKETS; ++i) {
    up_to += buckets_[i];
    const bool told = (i >= first_ && i <= last_) || i + 1 == bpf::BUCKETS;
    if (!told) continue;
    if (columns_[i] == kNoColumn) columns_[i] = addColumn(round.columns, events_, boundText(i));
    round.row.set(columns_[i], std::round(up_to));
  }
  if (sum_column_ == kNoColumn) sum_column_ = addColumn(round.columns, seconds_name_, {});
  round.row.set(sum_column_, std::round(seconds_ * 1000) / 1000);
}

}  // namespace virtseer::agent::ebpf
