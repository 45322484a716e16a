#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "model/forecast.h"
#include "predict/bytes.h"

namespace virtseer::predict {

/// The newest residuals of known outcomes, in order of arrival and of size. Adding one is a binary
/// search and a short move, so that asking for quantiles costs nothing.
class Residuals {
 public:
  explicit Residuals(std::size_t capacity) : capacity_(capacity) {}

  void add(float residual);
  std::size_t size() const { return sorted_.size(); }

  /// The one-sided conformal quantile: the ceil((n + 1) * level)-th smallest of n. Under
  /// exchangeability the next residual does not exceed it with probability `level` or more. Absent
  /// where that order statistic does not exist.
  /// (Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World"; Papadopoulos et al.
  /// 2002 for the split form.)
  std::optional<double> quantile(double level) const;
  /// The largest; there must be one.
  double largest() const { return sorted_.back(); }

  void write(ByteWriter& out) const;
  void read(ByteReader& in);

 private:
  std::size_t capacity_;
  std::size_t next_ = 0;        ///< where the oldest lies once full
  std::vector<float> arrived_;  ///< ring
  std::vector<float> sorted_;
};

/// How many scored outcomes quantile q needs before it is promised: 5 / (1 - q), so that about
/// five of them lie above.
std::size_t outcomesNeeded(double q);

/// Residuals of one target of one VM and horizon, and the level at which each of its quantiles is
/// asked for, so that the delivered coverage is the promised one even while behaviour drifts.
///
/// Adaptive conformal inference: after each outcome the miscoverage a asked for moves by
/// 0.005 * (1 - q - missed), kept within [0, 4 * (1 - q)].
/// (Gibbs & Candès 2021, "Adaptive conformal inference under distribution shift".)
class TargetCalibration {
 public:
  static constexpr std::size_t kOwn = 512;  ///< residuals kept per VM: enough for p99
  TargetCalibration();

  /// `error`: truth - point, in units of demand; the residual is error / spread. `exceeded[i]`: the
  /// truth was above quantile i as issued; absent if it was not issued.
  void add(double error, double spread, const std::array<std::optional<bool>, 4>& exceeded);

  std::size_t size() const { return residuals_.size(); }

  /// How far quantile i may lie from the point, in units of demand: no further than a share (0.5,
  /// 0.8, 1, 1) of the largest error lately seen, or than (0.5, 1.5, 4, 6) spreads, twice as many
  /// with few own outcomes. After a surprise the residuals are large, since the spread was small,
  /// and the spread is large as well: their product would count the surprise twice.
  double furthest(std::size_t i, double spread) const;

  /// Own residual quantile i at its adapted level; absent with fewer outcomes than are needed.
  std::optional<double> quantile(std::size_t i) const;

  void write(ByteWriter& out) const;
  void read(ByteReader& in);

 private:
  Residuals residuals_;
  std::array<float, 4> miss_;  ///< adapted miscoverage
  double largest_error_ = 0;   ///< fades by half in 500 outcomes
};

/// A band in units of spread around a point forecast.
struct Band {
  std::array<double, 3> offset{};  ///< p50, p80, p95
  std::optional<double> p99;
  Calibration calibration = Calibration::none;  ///< of p95
  std::uint32_t outcomes = 0;
};

/// The band of one target. Each quantile comes from the VM's own outcomes if there are enough, else
/// from `pool`, else from convention (0, 1.5 and 4 spreads). While the own ones are not `settled`
/// (they lie in too short a time to have seen much), the wider of own and pooled or conventional
/// counts.
Band band(const TargetCalibration& own, const Residuals& pool, bool settled);

}  // namespace virtseer::predict
