#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/doctor.h"
#include "model/enroll.h"
#include "model/forecast.h"
#include "model/hand_over.h"
#include "model/operation.h"
#include "model/plan.h"
#include "model/policy.h"

namespace virtseer::api {

/// A forecast with how such forecasts of this VM kept their word.
struct ForecastView {
  Forecast forecast;
  TrackRecord record;
};

struct ForecastAnswer {
  Uuid vm;
  std::string vm_name;
  std::vector<ForecastView> forecasts;  ///< by resource, then horizon
  std::vector<std::string> missing;  ///< what is not foreseen, and why: "cpu: no demand seen yet"
};

struct PolicyView {
  Uuid vm;
  std::string vm_name;
  ResolvedPolicy resolved;
};

/// Why something was decided, for a person and for a program. One of the members is set.
struct Explanation {
  std::string id;
  std::vector<std::string> lines;
  std::optional<Plan> plan;
  std::optional<PlanStep> step;  ///< of `plan`
  std::optional<Operation> operation;
};

/// A move that somebody asks for.
struct MigrateRequest {
  std::string to;  ///< host's name or UUID; empty: the best one; see decide::destination
  bool dry_run = false;
  std::optional<bool> copy_storage;
};

/// What a move would meet; nothing was changed.
struct MigrateDryRun {
  Uuid vm;
  std::string vm_name;
  std::optional<Uuid> to;
  std::string to_name;
  bool fits = false;
  bool copy_storage = false;
  std::vector<Check> checks;
  std::optional<RankedHost> ranked;  ///< the host as the ranking sees it
};

struct MigrateAnswer {
  std::optional<Operation> operation;  ///< begun
  std::optional<MigrateDryRun> dry_run;
};

struct OperationFilter {
  bool active = false;  ///< only those that have not ended
  std::optional<Uuid> vm;
  std::size_t limit = 100;
};

struct Automation {
  bool on = true;       ///< false: the global stop holds
  std::string said_by;  ///< "configuration" or "person"
  std::optional<Timestamp> since;
};

/// A VM that somebody wants to be heard from inside, or no longer.
struct EnrollRequest {
  bool dry_run = false;
  bool remove = false;
  EchoWay way = EchoWay::channel;
  std::string address;  ///< tls: HOST:PORT; vsock: a port, or empty
  bool next_start = false;
};

/// What blinds the daemon, the worst first.
struct DoctorAnswer {
  Timestamp time;
  std::vector<Finding> findings;
};

/// What the API needs of foreseeing, deciding and acting. Loop thread. `vm` and `host` are a UUID
/// or a name. Code::refused is policy or pre-flight, and nothing was moved.
class Decisions {
 public:
  virtual ~Decisions() = default;

  virtual Result<ForecastAnswer> forecast(const std::string& vm) = 0;
  /// The newest plan; absent while none was made since the start.
  virtual std::optional<Plan> plan() = 0;
  virtual boost::asio::awaitable<Result<Ranking>> rank(std::string vm) = 0;
  /// `id`: of a plan, of a step of one, or of an operation. Plans that said the same as the one
  /// before are not kept.
  virtual Result<Explanation> explain(const std::string& id) = 0;
  virtual Result<PolicyView> policy(const std::string& vm) = 0;

  virtual boost::asio::awaitable<Result<MigrateAnswer>> migrate(std::string vm,
                                                                MigrateRequest request) = 0;
  /// Newest first; migrations away and arrivals. Code::unreachable while it is not known yet what
  /// was under way, as with `abort`.
  virtual Result<std::vector<Operation>> operations(const OperationFilter& filter) = 0;
  virtual Result<Operation> operation(const std::string& id) = 0;
  /// With `fenced` a person confirms that the silent destination is powered off for good, and the
  /// operation is ended without it.
  virtual boost::asio::awaitable<Result<Operation>> abort(std::string id, bool fenced) = 0;

  /// This host, or a peer through its daemon.
  virtual boost::asio::awaitable<Result<void>> setMaintenance(std::string host, bool on) = 0;
  virtual bool maintenance() = 0;  ///< of this host
  virtual Automation automation() = 0;
  /// Returns once it is kept.
  virtual boost::asio::awaitable<Result<Automation>> setAutomation(bool on) = 0;

  // What peers ask for. An arrival's id is the operation's.

  virtual boost::asio::awaitable<Result<FleetState>> fleetState() = 0;
  virtual boost::asio::awaitable<Result<RemoteVm>> remoteVm(Uuid vm) = 0;
  virtual boost::asio::awaitable<Result<ReserveAnswer>> reserve(ReserveOrder order) = 0;
  virtual Result<Reservation> renew(const std::string& operation) = 0;
  virtual boost::asio::awaitable<Result<void>> release(std::string operation) = 0;
  virtual boost::asio::awaitable<Result<void>> commit(std::string operation, CommitOrder order) = 0;
  virtual boost::asio::awaitable<Result<void>> takeToken(std::string operation,
                                                         std::string token) = 0;
  virtual boost::asio::awaitable<Result<void>> revive(std::string operation) = 0;
  virtual boost::asio::awaitable<Result<Operation>> sendBack(std::string operation) = 0;

  // What keeps the daemon from seeing.

  /// See act/enroll.h.
  virtual boost::asio::awaitable<Result<EnrollReport>> enroll(std::string vm,
                                                              EnrollRequest request) = 0;
  virtual boost::asio::awaitable<Result<DoctorAnswer>> doctor() = 0;

  /// Counts for /metrics and health.
  struct Counts {
    std::uint64_t plans = 0, rounds = 0;
    std::uint64_t operations_done = 0, operations_refused = 0, operations_failed = 0;
    std::uint64_t forecasts_scored = 0, forecast_points_dropped = 0;
    std::size_t operations_active = 0;
    std::size_t peers = 0, peers_silent = 0;
  };
  virtual Counts counts() = 0;
};

}  // namespace virtseer::api
