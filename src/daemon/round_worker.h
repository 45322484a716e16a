#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/decisions.h"
#include "daemon/demand_feed.h"
#include "daemon/demand_history.h"
#include "decide/planner.h"
#include "fleet/peers.h"
#include "model/host_state.h"
#include "predict/predictor.h"

namespace virtseer::daemon {

/// A VM that runs here, and what it cannot exceed.
struct RunningVm {
  Uuid uuid;
  std::optional<double> vcpus;
  std::optional<double> memory_bytes;
};

/// What one round goes by.
struct RoundOrder {
  Timestamp now;
  std::vector<Observation> observations;
  std::vector<RunningVm> running;
  std::vector<Uuid> forgotten;
  std::optional<HostState> own;  ///< absent: not known yet, then there is no plan
  double own_cpus = 0;           ///< wanted by the host itself, beyond its reserve
  std::vector<fleet::PeerState> peers;
  PolicyConfiguration policy;
};

/// What is foreseen of one VM.
struct VmForesight {
  std::vector<api::ForecastView> forecasts;  ///< by resource, then horizon
  std::vector<std::string> missing;
};

/// What a round foresaw; never changed once it is made, so any thread may read it.
struct Foreseen {
  std::unordered_map<Uuid, VmForesight> vms;
  Scenarios scenarios;  ///< of this host, with few enough paths to be sent to peers
};

struct RoundAnswer {
  std::shared_ptr<const Foreseen> foreseen;
  std::optional<Plan> plan;
  std::uint64_t scored = 0;   ///< forecasts whose time had come in this round
  std::uint64_t dropped = 0;  ///< observations dropped since the start
};

/// Owns the predictor and what the planner remembers, and works rounds out. One thread at a time,
/// not the loop's: a round takes some ten milliseconds with a hundred VMs.
class RoundWorker {
 public:
  RoundWorker(predict::PredictorOptions options, decide::PlannerRules rules);

  /// Takes up calibration and records that an earlier life kept; to be called before anything is
  /// observed. On failure nothing is taken.
  Result<void> restore(std::string_view bytes);
  std::string serialise() const { return predictor_.serialise(predict::History::without); }

  /// Learns from the past: feeds it in order of time and scores once per step, for at most
  /// `budget`; the rest of it is fed without scoring. Returns how many forecasts were scored.
  std::uint64_t learn(const std::vector<RunningVm>& running,
                      const std::vector<VmHistory>& histories, Millis budget);

  RoundAnswer round(RoundOrder order);

  /// On the view of the last round. Code::busy before the first one with a plan.
  Result<Ranking> rank(const Uuid& vm, const PolicyConfiguration& policy, Timestamp now) const;

 private:
  /// Since when a VM's demand of CPU is known without a long gap.
  struct Known {
    Timestamp since, last;
  };

  void bound(const std::vector<RunningVm>& running);
  void observe(const Observation& one);
  VmForesight foresee(const Uuid& vm, Timestamp now) const;
  /// True if plans would go by this forecast, but the VM has not been seen for long enough.
  bool unripe(const Uuid& vm, Resource resource, Millis horizon, Timestamp now) const;
  /// Of the VMs that have been known for one and a half horizons at least: less tells noise from a
  /// trend badly, and a plan would be made for it.
  Scenarios scenarios(const RoundOrder& order) const;

  predict::PredictorOptions options_;
  decide::PlannerRules rules_;
  std::vector<Millis> plan_horizons_;
  predict::Predictor predictor_;
  std::unordered_map<Uuid, Known> known_;
  std::int64_t scored_step_ = -1;
  decide::PlannerState state_;
  std::optional<FleetView> view_;
};

}  // namespace virtseer::daemon
