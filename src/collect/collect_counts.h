#pragma once

#include <cstdint>

namespace virtseer::collect {

/// What a collector did not get or could not keep, since it was made. Never goes down.
struct CollectCounts {
  /// Beats without figures, since the call before took too long or failed.
  std::uint64_t missed_beats = 0;
  /// Values left out, since their stream has all the columns that a store gives.
  std::uint64_t refused_values = 0;
  /// Rows turned away, since the wall clock was set back behind the stream's last row. Of a guest:
  /// attempts; its agent keeps them and is asked again.
  std::uint64_t late_rows = 0;
  /// Rows that the store had no room for, or no place. Of a guest: attempts, as above.
  std::uint64_t overflow_rows = 0;

  CollectCounts& operator+=(const CollectCounts& more) {
    missed_beats += more.missed_beats;
    refused_values += more.refused_values;
    late_rows += more.late_rows;
    overflow_rows += more.overflow_rows;
    return *this;
  }
};

}  // namespace virtseer::collect
