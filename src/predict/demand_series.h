#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "model/series.h"

namespace virtseer::predict {

/// Turns a VM's counters of processor time into demand: cores used plus cores waited for. What a
/// vCPU waits while it could run (steal, run delay) is wanted as much as what it gets.
class CpuDemand {
 public:
  /// Seconds since the VM began, summed over vCPUs; `delay_s` is absent where the host does not
  /// say. The rate since the last call, stamped `time`; nothing for the first call, when time does
  /// not advance, and when a counter fell (the VM or its process was started anew, or moved).
  std::optional<Point> add(Timestamp time, double used_s, std::optional<double> delay_s);

 private:
  struct Reading {
    Timestamp time;
    double used_s;
    std::optional<double> delay_s;
  };
  std::optional<Reading> last_;
};

/// The mean demand within [index * step, (index + 1) * step), counted from the Unix epoch.
struct Step {
  std::int64_t index = 0;
  float value = 0;
};

/// Makes a regular series out of irregular points, in one pass.
///
/// - A point's value is taken to hold since the point before it (so does a rate of a counter), but
///   not further back than `max_gap`: what is longer is a gap, and then it holds for one step.
/// - A step's value is the mean over the time that is covered; a step covered to less than half is
///   missing, and so is every step within a gap. Missing steps are not handed out: their indices
///   are left out.
/// - A value that is not finite makes a gap. One below zero counts as zero.
/// - A point that is not newer than the last is dropped. If ten in a row are (the wall clock was
///   set back), the series begins anew at the tenth.
class DemandSeries {
 public:
  enum class Taken : std::uint8_t { yes, dropped, restarted };

  explicit DemandSeries(Millis step, Millis max_gap = Millis(0));  ///< 0: 3 steps, at least 15 s

  /// Appends the steps that this point completes to `done`, oldest first, at most max_gap / step
  /// + 1 of them.
  Taken add(Timestamp time, double value, std::vector<Step>& done);

  Millis step() const { return step_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  void cover(std::int64_t from_ms, std::int64_t to_ms, double value, std::vector<Step>& done);
  void close(std::vector<Step>& done);

  Millis step_;
  Millis max_gap_;
  std::optional<std::int64_t> last_ms_;
  std::int64_t open_ = 0;  ///< index of the step that is being filled
  double sum_ = 0;         ///< value times milliseconds
  std::int64_t covered_ms_ = 0;
  std::uint64_t dropped_ = 0;
  int stale_ = 0;
};

}  // namespace virtseer::predict
