#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/forecast.h"
#include "model/scenarios.h"
#include "predict/demand_series.h"
#include "predict/track.h"

namespace virtseer::predict {

struct PredictorOptions {
  Millis step{5000};  ///< of the regular series: a peak is the highest mean of one such step
  Millis max_gap{0};  ///< see DemandSeries
  std::vector<Millis> horizons{std::chrono::minutes(15), std::chrono::hours(1)};  ///< at most 8
  std::size_t max_vms = 2000;  ///< beyond it new VMs are refused, and counted
};

/// A forecast whose time has come, and the truth.
struct Outcome {
  Forecast forecast;
  double level = 0;
  double peak = 0;
};

enum class History { with, without };

/// Foresees the demand of all VMs of a host. Pure: the same calls give the same answers, time comes
/// in as an argument. One thread at a time; 4 KB of memory per VM, resource and horizon at first,
/// about 25 KB at most. What takes long (score, many forecasts) belongs on a pool; observe() is
/// cheap.
///
/// To learn from a recorded past, feed it in the order of time and call score() once per step or
/// so: only forecasts that were made before their horizon count.
class Predictor {
 public:
  explicit Predictor(PredictorOptions options);

  /// Demand of a VM at a point of time (for the CPU from CpuDemand), any interval.
  void observe(const Uuid& vm, Resource resource, Timestamp time, double demand);

  /// The physical bound of a resource: vCPUs, bytes of memory. Forecasts stay below it, unless
  /// demand has been seen above it.
  void bound(const Uuid& vm, Resource resource, std::optional<double> most);

  /// As of the newest complete cell (its time is Forecast::made, at most about a sixtieth of the
  /// horizon ago). `not_found`: no such VM, no demand seen yet, or none for a whole horizon;
  /// `invalid`: a horizon that is not in the options.
  Result<Forecast> forecast(const Uuid& vm, Resource resource, Millis horizon, Timestamp now) const;

  /// Scores what came due, learns from it and makes the next forecasts that will be scored. At most
  /// `vms` of them, in turn from call to call; returns the outcomes by VM, then by time.
  std::vector<Outcome> score(Timestamp now, std::size_t vms = SIZE_MAX);

  /// How forecasts of this VM kept their word; absent if it is not known.
  std::optional<TrackRecord> record(const Uuid& vm, Resource resource, Millis horizon) const;

  /// Joint sample paths over the horizon, on its cells, from the newest complete cell on. VMs that
  /// are not known or silent for a horizon are left out: see Scenarios::vms.
  Result<Scenarios> scenarios(std::span<const Uuid> vms, Resource resource, Millis horizon,
                              std::size_t paths, std::uint64_t seed) const;

  void forget(const Uuid& vm) { vms_.erase(vm); }
  std::size_t vms() const { return vms_.size(); }
  std::uint64_t refused() const { return refused_; }  ///< points of VMs beyond max_vms
  std::uint64_t dropped() const { return dropped_; }  ///< points out of order
  const PredictorOptions& options() const { return options_; }

  /// All state as versioned bytes. Without history: what the series store cannot give again
  /// (calibration, records, pending forecasts); then feed the last hours before going on.
  std::string serialise(History history) const;
  /// `corrupt` or `unsupported` (a newer version). Horizons that the options no longer have are
  /// left out; after a change of step only calibration and records are taken.
  static Result<Predictor> restore(PredictorOptions options, std::string_view bytes);

  /// One VM, for the daemon that takes it over; empty if it is not known.
  std::string serialise(const Uuid& vm, History history) const;
  /// Replaces what is known about that VM; its UUID. The bytes may come from a stranger.
  Result<Uuid> adopt(std::string_view bytes);

 private:
  struct OneResource {
    DemandSeries series;
    std::optional<double> bound;
    std::vector<Track> tracks;  ///< by horizon
  };
  using OneVm = std::array<std::optional<OneResource>, kResources>;

  OneResource* find(const Uuid& vm, Resource resource, bool make);
  const OneResource* find(const Uuid& vm, Resource resource) const;
  std::optional<std::size_t> indexOf(Millis horizon) const;
  OneResource fresh() const;
  void writeVm(ByteWriter& out, const OneVm& vm, History history) const;
  void readVm(ByteReader& in, OneVm& vm) const;
  void readTracks(ByteReader& in, OneResource& resource, bool same_step) const;

  PredictorOptions options_;
  std::vector<Horizon> horizons_;
  std::map<Uuid, OneVm> vms_;
  Uuid last_scored_;
  std::uint64_t refused_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<Step> done_;  ///< scratch of observe()
};

}  // namespace virtseer::predict
