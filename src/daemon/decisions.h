#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "act/arrivals.h"
#include "act/enroll.h"
#include "act/operations.h"
#include "api/decisions.h"
#include "base/task_group.h"
#include "daemon/agent_tokens.h"
#include "daemon/config.h"
#include "daemon/enrollments.h"
#include "daemon/foresight.h"
#include "daemon/inventory.h"
#include "daemon/keepsakes.h"
#include "daemon/operation_journal.h"
#include "daemon/store_keeper.h"
#include "fleet/peers.h"
#include "platform/environment.h"

namespace virtseer::daemon {

/// Foreseeing, deciding and acting as one: makes the parts, joins them, and answers the API. Loop
/// thread.
class DaemonDecisions final : public api::Decisions {
 public:
  struct Parts {
    /// How a VM here does, without its I/O errors.
    std::function<Wellbeing(const Uuid&)> wellbeing;
    std::function<void(Event)> report;
    /// A part of it ended that should not have.
    std::function<void(const std::string& name, const std::string& what)> failed;
    /// How fast a VM writes its memory, in bytes per second, if that is known.
    std::function<std::optional<double>(const Uuid&)> dirty_rate;
    /// The environment behind this URI.
    std::function<platform::Environment*(const std::string& uri)> environment;
    /// What the doctor looks at, but for what the planner knows.
    std::function<boost::asio::awaitable<CheckUp>()> check_up;
    /// A VM's token is gone: ends the call of its agent.
    std::function<void(const Uuid&)> end_call;
    /// Runs what waits for files.
    std::function<boost::asio::awaitable<Result<bool>>(std::function<Result<bool>()>)> files;
  };

  DaemonDecisions(boost::asio::any_io_executor loop, const Clock& clock, const Config& config,
                  Inventory& inventory, StoreKeeper& store, platform::Environment& environment,
                  std::vector<fleet::PeerOptions> peers, Parts parts);
  ~DaemonDecisions() override;

  void start();
  /// Another store serves; the first one on disk brings back what was under way.
  void storeSwapped();
  void notice(const platform::Notice& notice);
  /// Lets go of everything that runs and keeps what was learned. Migrations go on in libvirt.
  boost::asio::awaitable<void> stop();

  std::vector<fleet::PeerState> peerStates() const { return peers_.states(); }
  /// See act::Arrivals.
  bool awaitsToken(const Uuid& vm) const { return arrivals_->awaitsToken(vm); }
  std::vector<Duplicate> duplicates() const { return foresight_->duplicates(); }

  Result<api::ForecastAnswer> forecast(const std::string& vm) override;
  std::optional<Plan> plan() override { return foresight_->plan(); }
  boost::asio::awaitable<Result<Ranking>> rank(std::string vm) override;
  Result<api::Explanation> explain(const std::string& id) override;
  Result<api::PolicyView> policy(const std::string& vm) override;
  boost::asio::awaitable<Result<api::MigrateAnswer>> migrate(std::string vm,
                                                             api::MigrateRequest request) override;
  Result<std::vector<Operation>> operations(const api::OperationFilter& filter) override;
  Result<Operation> operation(const std::string& id) override;
  boost::asio::awaitable<Result<Operation>> abort(std::string id, bool fenced) override;
  boost::asio::awaitable<Result<void>> setMaintenance(std::string host, bool on) override;
  bool maintenance() override { return keepsakes_.maintenance().has_value(); }
  api::Automation automation() override;
  boost::asio::awaitable<Result<api::Automation>> setAutomation(bool on) override;
  boost::asio::awaitable<Result<FleetState>> fleetState() override;
  boost::asio::awaitable<Result<RemoteVm>> remoteVm(Uuid vm) override;
  boost::asio::awaitable<Result<ReserveAnswer>> reserve(ReserveOrder order) override;
  Result<Reservation> renew(const std::string& operation) override;
  boost::asio::awaitable<Result<void>> release(std::string operation) override;
  boost::asio::awaitable<Result<void>> commit(std::string operation, CommitOrder order) override;
  boost::asio::awaitable<Result<void>> takeToken(std::string operation, std::string token) override;
  boost::asio::awaitable<Result<void>> revive(std::string operation) override;
  boost::asio::awaitable<Result<Operation>> sendBack(std::string operation) override;
  boost::asio::awaitable<Result<EnrollReport>> enroll(std::string vm,
                                                      api::EnrollRequest request) override;
  boost::asio::awaitable<Result<api::DoctorAnswer>> doctor() override;
  Counts counts() override;

 private:
  act::MigrationContext migrationContext();
  act::ArrivalContext arrivalContext();
  ForesightContext foresightContext();
  act::EnrollContext enrollContext();
  std::string operationOf(const Uuid& vm) const;

  void recoverOnce();
  /// Nothing that peers take for an answer is said before what was under way is known again.
  Result<void> ready() const;
  void sayAutomation(bool on);
  void carryOut(const PlanStep& step);
  boost::asio::awaitable<void> begin(act::MigrationOrder order);
  Wellbeing wellbeing(const Uuid& vm);
  PolicyConfiguration policies();
  boost::asio::awaitable<Result<Ranking>> rankHere(Vm vm);
  /// The host that a person wants, or the best one; see decide::destination().
  boost::asio::awaitable<Result<RankedHost>> choose(Vm vm, std::string wanted);

  boost::asio::any_io_executor loop_;
  const Clock& clock_;
  const Config& config_;
  Inventory& inventory_;
  StoreKeeper& store_;
  platform::Environment& environment_;
  Parts parts_;
  TokensOffLoop tokens_;
  Keepsakes keepsakes_;
  OperationJournal journal_;
  fleet::HttpPeers peers_;
  std::unique_ptr<act::Operations> operations_;
  std::unique_ptr<act::Arrivals> arrivals_;
  std::unique_ptr<Foresight> foresight_;
  std::map<Uuid, std::deque<Timestamp>> io_errors_;
  bool recovered_ = false;
  TaskGroup tasks_;
  Enrollments enrollments_;
};

}  // namespace virtseer::daemon
