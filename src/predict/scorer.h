#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "model/forecast.h"
#include "predict/bytes.h"
#include "predict/cells.h"

namespace virtseer::predict {

/// A forecast that waits for its truth.
struct Pending {
  std::int64_t cell = 0;  ///< first cell of its horizon
  Outlook level, peak;
  double level_spread = 1, peak_spread = 1;  ///< positive
};

/// A forecast whose horizon has passed, and what really was.
struct Due {
  Pending forecast;
  double level = 0;
  double peak = 0;
};

/// True if `truth` lies above `quantile` by more than the last digits of a sum.
bool exceeds(double truth, double quantile);

/// Keeps the forecasts of one VM, resource and horizon until their time has come, and the record of
/// how they kept their word. Memory is bounded: beyond kMost pending ones the oldest is given up
/// and counted as unscored.
class Scorer {
 public:
  static constexpr std::size_t kMost = 128;

  void add(Pending forecast);

  /// Those whose horizon of `horizon` cells lies before cells.end(), oldest first: each is given
  /// out once, and only with a truth that misses at most a quarter of its cells. Those that still
  /// have none at `now_cell`, two horizons after they were made, are given up.
  std::vector<Due> due(const Cells& cells, std::size_t horizon, std::int64_t now_cell);

  std::size_t pending() const { return pending_.size(); }
  const TrackRecord& record() const { return record_; }
  void forgetPending() { pending_.clear(); }

  void write(ByteWriter& out) const;
  void read(ByteReader& in);

 private:
  std::deque<Pending> pending_;  ///< by time made
  TrackRecord record_;
};

}  // namespace virtseer::predict
