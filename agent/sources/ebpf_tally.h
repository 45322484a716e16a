#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "ebpf/programs/board.h"

namespace virtseer::agent::ebpf {

/// Scaled counts by key, from the times of counting of one round. Bounded: of very many keys the
/// busiest are kept.
template <typename Key>
class Tally {
  static_assert(std::has_unique_object_representations_v<Key>);

 public:
  struct Entry {
    Key key;
    double count;
    double errors;
  };

  void add(const Key& key, double count, double errors = 0) {
    if (count == 0) return;
    if (entries_.size() >= 2 * kKept) keepBusiest(kKept);
    entries_.push_back({key, count, errors});
  }
  /// At most `rows` entries, the busiest first; the next `add` or `clear` ends them.
  std::span<const Entry> busiest(std::size_t rows) {
    keepBusiest(rows);
    return entries_;
  }
  void clear() { entries_.clear(); }

 private:
  static constexpr std::size_t kKept = bpf::MAX_COUNTS;

  void keepBusiest(std::size_t most) {
    join();
    const std::size_t kept = std::min(most, entries_.size());
    std::partial_sort(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(kept),
                      entries_.end(),
                      [](const Entry& a, const Entry& b) { return a.count > b.count; });
    entries_.resize(kept);
  }

  /// Makes one entry of those with the same key.
  void join() {
    const auto order = [](const Entry& a, const Entry& b) {
      return std::memcmp(&a.key, &b.key, sizeof(Key));
    };
    std::sort(entries_.begin(), entries_.end(),
              [&](const Entry& a, const Entry& b) { return order(a, b) < 0; });
    std::size_t last = 0;
    for (std::size_t i = 1; i < entries_.size(); ++i) {
      if (order(entries_[last], entries_[i]) != 0) {
        entries_[++last] = entries_[i];
        continue;
      }
      entries_[last].count += entries_[i].count;
      entries_[last].errors += entries_[i].errors;
    }
    if (!entries_.empty()) entries_.resize(last + 1);
  }

  std::vector<Entry> entries_;
};

}  // namespace virtseer::agent::ebpf
