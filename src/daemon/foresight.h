#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/decisions.h"
#include "base/time.h"
#include "daemon/config.h"
#include "decide/rules.h"
#include "fleet/peers.h"
#include "model/doctor.h"
#include "model/event.h"
#include "platform/actions.h"
#include "store/store.h"

namespace virtseer::daemon {

/// What a round looks at; all of it is asked on the loop.
struct ForesightContext {
  std::function<Host()> host;
  std::function<std::vector<Vm>()> vms;  ///< that are present
  std::function<store::SeriesStore&()> series;
  std::function<store::Settings&()> settings;
  /// Runs a job that reads the store on its readers' pool (history at the start).
  std::function<boost::asio::awaitable<Result<void>>(std::function<Result<void>()>)> read;
  std::function<platform::Actions*()> actions;  ///< null before the first connection
  std::function<std::vector<fleet::PeerState>()> peers;
  std::function<std::vector<Flight>()> flights;
  std::function<std::vector<Reservation>()> reservations;
  std::function<std::vector<PastMove>(const Uuid&)> moves;
  std::function<bool()> maintenance;
  std::function<PolicyConfiguration()> policy;  ///< with the global stop as it is now
  /// A step that is executable; whoever takes it checks it again.
  std::function<void(const PlanStep&)> carry_out;
  std::function<void(Event)> report;
  /// How fast a VM writes its memory, in bytes per second, if that was measured lately; may be
  /// empty.
  std::function<std::optional<double>(const Uuid&)> dirty_rate = {};
};

/// From rows to forecasts to plans: feeds every VM's demand to the predictor, scores and renews
/// its forecasts, measures contention, and makes a plan each round. The predictor and the planner
/// run on a thread of their own; the loop sees their last answers. Loop thread.
///
/// Demand of CPU is the VM's CPU time plus the time its vCPUs waited. When a VM is seen first, the
/// history of the longest horizon (four times) is read from the store; calibration and records are
/// kept in the settings, every ten minutes and at the end. Plans rest on joinHorizons(). What the
/// host wants itself beyond its reserve counts as a load that no move takes away.
///
/// Events: `host.contended` and `host.relieved` (see ContentionWatch; fields used_cores
/// of VMs and the host itself, delay_cores, capacity, since), `plan.changed`, `plan.step` (see
/// PlanNews), `vm.duplicate`, `vm.duplicate_over` (see Duplicates).
class Foresight {
 public:
  Foresight(boost::asio::any_io_executor loop, const Clock& clock, const Config& config,
            ForesightContext context);
  ~Foresight();

  /// Rounds until cancelled.
  boost::asio::awaitable<void> run();
  /// One round: what run() does every `plan.round`. One at a time.
  boost::asio::awaitable<void> round();
  /// Keeps what was learned; to be called at the end, after run() was cancelled.
  boost::asio::awaitable<void> save();
  /// Another store serves from now on.
  void storeSwapped();
  /// Facts about VMs and the host are asked anew at the next round (a VM was changed, came, went).
  void stale();

  Result<api::ForecastAnswer> forecast(const Vm& vm) const;
  std::optional<Plan> plan() const;
  /// A plan that was kept, by its id or the id of one of its steps.
  std::optional<Plan> plan(const std::string& id) const;
  boost::asio::awaitable<Result<Ranking>> rank(Uuid vm);
  ResolvedPolicy policy(const Vm& vm) const;
  /// VMs that this host and its peers say run on several of them.
  std::vector<Duplicate> duplicates() const;
  /// This host for peers: as the last round saw it, with joint scenarios of its VMs.
  Result<FleetState> fleetState() const;
  /// What the destination's ledger goes by.
  HostRoom room() const;
  /// Cores that a VM is expected to want (the median of its level where there is a forecast) and
  /// its memory: what a move reserves.
  std::pair<double, std::uint64_t> wants(const Vm& vm) const;

  /// What was measured, not foreseen: how long vCPUs of this host's VMs wait together.
  struct Measured {
    bool contended = false;
    std::optional<Timestamp> since;     ///< the first of the rounds that made it so
    std::optional<double> delay_cores;  ///< in the last round that measured it
  };
  Measured contended() const;

  struct Counts {
    std::uint64_t rounds = 0, plans = 0, scored = 0, dropped = 0;
  };
  Counts counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The planner's rules as the configuration sets them.
decide::PlannerRules plannerRules(const Config& config);

}  // namespace virtseer::daemon
