#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "predict/cells.h"
#include "predict/conformal.h"
#include "predict/forecasters.h"
#include "predict/scenarios.h"
#include "predict/scorer.h"

namespace virtseer::predict {

/// One horizon as all its tracks share it: the grid, the forecasters and what all VMs together have
/// taught. A cell is about a sixtieth of the horizon, but at least one step.
class Horizon {
 public:
  Horizon(Millis length, Millis step);

  Millis length() const { return length_; }
  Millis cell() const { return cell_; }
  std::int64_t fold() const { return fold_; }  ///< steps per cell
  std::size_t cells() const { return forecasters_.horizon(); }
  std::size_t capacity() const { return std::max<std::size_t>(480, 8 * cells()); }
  const Forecasters& forecasters() const { return forecasters_; }
  /// See beginning(): the most cells that may belong to a boot (five minutes in whole cells, at
  /// most a horizon), and those that must lie behind it (half a horizon, at least twelve).
  std::size_t boot() const;
  std::size_t settling() const;

  struct Pools {
    Residuals level{4096}, peak{4096};
  };
  Pools& pools(Resource resource) { return pools_[static_cast<std::size_t>(resource)]; }
  const Pools& pools(Resource resource) const { return pools_[static_cast<std::size_t>(resource)]; }

 private:
  Millis length_;
  std::int64_t fold_;
  Millis cell_;
  Forecasters forecasters_;
  std::array<Pools, kResources> pools_;
};

/// Whose track it is, and what bounds it.
struct TrackOwner {
  Uuid vm;
  Resource resource = Resource::cpu;
  std::optional<double> bound;  ///< demand cannot physically exceed this
};

/// All that is known about one VM, resource and horizon: recent past, pending forecasts,
/// calibration and record. The horizon is passed in by whoever owns both, always the same.
class Track {
 public:
  explicit Track(const Horizon& horizon);

  void add(Step step) { cells_.add(step); }
  /// The clock was set back: the past and what is pending are dropped, what was learned stays.
  void restart();

  std::size_t known(const Horizon& horizon) const;
  std::int64_t end() const { return cells_.end(); }
  const TrackRecord& record() const { return scorer_.record(); }

  /// As of the newest complete cell; that must exist.
  Forecast forecast(const Horizon& horizon, const TrackOwner& owner) const;

  /// Learns from what has come due and makes the next forecast that will be scored: one per twelfth
  /// of the horizon, one per cell until 128 outcomes are known.
  std::vector<Due> round(Horizon& horizon, const TrackOwner& owner, Timestamp now);

  /// For scenarios that begin at cell `start`, at or after end(): gaps are missing.
  Rhythm rhythm(const Horizon& horizon, const TrackOwner& owner, std::int64_t start) const;

  void write(ByteWriter& out, bool with_history) const;
  /// Replaces the content. `same_grid`: it was written with the same step and horizon; else only
  /// what does not depend on the grid is taken.
  void read(ByteReader& in, const Horizon& horizon, bool same_grid);

 private:
  struct Seen {
    std::int64_t end = -1;
    std::optional<double> bound;
    std::size_t begin = 0;  ///< cells left out: see beginning()
    PointForecast point;
    double upper = 0;
  };
  /// The point forecast rests on what came after the beginning() of all that was seen.
  const Seen& look(const Horizon& horizon, const TrackOwner& owner) const;
  Outlook outlook(double point, double spread, const TargetCalibration& own, const Band& band,
                  double upper) const;
  void learn(Horizon& horizon, const TrackOwner& owner, const Due& due);
  void issue(const Horizon& horizon, const TrackOwner& owner);
  bool settled(const Horizon& horizon) const;

  Cells cells_;
  Scorer scorer_;
  TargetCalibration level_, peak_;
  std::int64_t issued_ = -1;        ///< cell of the newest forecast that was or will be scored
  std::int64_t first_scored_ = -1;  ///< cell of the oldest
  mutable Seen seen_;               ///< the point forecast of the newest cell
};

}  // namespace virtseer::predict
