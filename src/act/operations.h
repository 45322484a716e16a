#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "act/journal.h"
#include "act/pause.h"
#include "act/peer.h"
#include "act/tokens.h"
#include "base/task_group.h"
#include "base/time.h"
#include "model/event.h"
#include "model/policy.h"
#include "platform/actions.h"

namespace virtseer::act {

struct MigrationRules {
  Millis watch = std::chrono::seconds(60);      ///< how long a VM is watched after its move
  Millis echo_back = std::chrono::seconds(15);  ///< an agent must be heard again within this
  Millis stall = std::chrono::seconds(60);      ///< without progress for so long it is aborted
  Millis poll = std::chrono::milliseconds(500);
  Millis downtime_limit{300};
  std::uint64_t bandwidth_bytes_per_s = 0;  ///< 0: unlimited
  bool auto_converge = true;
  std::size_t at_once = 2;  ///< migrations of this daemon
  std::size_t kept = 500;   ///< ended operations that are remembered
  /// Delay of the vCPUs (share of what the VM wants) at the destination that may exceed the one at
  /// the source before verification fails; below 0.05 cores more of it never does.
  double delay_margin = 0.1;
};

/// What somebody wants moved.
struct MigrationOrder {
  Uuid vm;
  std::string to;  ///< peer's name or UUID
  OperationOrigin origin = OperationOrigin::person;
  std::string plan_step;
  std::string return_of;
  std::vector<std::string> reasons;
  double cpus = 0;                   ///< to reserve; 0: what it wants now
  std::optional<bool> copy_storage;  ///< absent: if a disk is not shared and policy allows it
  bool may_share = false;            ///< cores that are spoken for there do not refuse it
};

/// What a move would meet.
struct MigrationPreview {
  Uuid vm;
  std::string vm_name;
  std::string to_name;
  std::optional<Uuid> to;
  bool copy_storage = false;
  std::vector<Check> checks;  ///< all that were looked at, here and there
  bool fits() const;
};

/// Facts that the daemon has at hand.
struct MigrationContext {
  std::function<Host()> self;
  std::function<Result<Vm>(const Uuid&)> vm;                ///< from the inventory
  std::function<Policy(const Uuid&)> policy;                ///< as resolved by now
  std::function<Wellbeing(const Uuid&)> wellbeing;          ///< of a VM here
  std::function<std::vector<PastMove>(const Uuid&)> moves;  ///< of a VM here
  std::function<void(const Uuid&, PastMove)> moved;         ///< keeps one more
  std::function<void(Event)> report;
  /// True while the arrival of a VM here has not ended: only the way back may move it on. Not set:
  /// none arrives.
  std::function<bool(const Uuid&)> arriving = nullptr;
  /// True while a person has the definition of a VM here changed: it is not moved meanwhile. Not
  /// set: nobody does.
  std::function<bool(const Uuid&)> changing = nullptr;
  /// Of this host's VMs; the token of one that moved follows it. Not set: no VM has any.
  Tokens* tokens = nullptr;
  /// True while the global stop holds. Not set: it never does.
  std::function<bool()> stopped = nullptr;
  Pause pause = timerPause;  ///< how its coroutines wait
};

/// The migrations away from this host, each a coroutine over a persisted state machine. Loop
/// thread. One operation per VM at a time.
class Operations {
 public:
  Operations(boost::asio::any_io_executor loop, const Clock& clock, platform::Actions& here,
             Peers& peers, Journal& journal, MigrationContext context, MigrationRules rules);
  ~Operations();

  /// Takes up what an earlier life of the daemon left behind: asks where each VM is, never assumes.
  /// To be called once the journal is readable and libvirt is connected.
  void recover();

  /// All checks, nothing is changed or held. Code::not_found: no such VM or peer.
  boost::asio::awaitable<Result<MigrationPreview>> preview(MigrationOrder order);

  /// What can be told here and at once to a person who wants a move, and would else be read from an
  /// operation that ended as refused: refused with all that pre-flight here finds. The destination
  /// is not asked, and what migrate() says itself, as of another operation of the VM, is left to
  /// it.
  boost::asio::awaitable<Result<void>> mayBegin(MigrationOrder order);

  /// Writes the operation down and starts it. invalid, not_found, refused (policy, another
  /// operation of this VM), busy (bound), unreachable (store or libvirt): nothing was begun. What
  /// pre-flight finds, here or there, ends the operation as refused.
  boost::asio::awaitable<Result<Operation>> migrate(MigrationOrder order);

  /// Asks a running one to end; what has switched over already is not taken back. Returns once the
  /// wish is written down, so that a restart honours it. not_found, refused if it is too late;
  /// unreachable if it cannot be written down: it is ended all the same.
  ///
  /// With `fenced` a person confirms that the destination, which is silent, is powered off for
  /// good: the operation is ended soon after, without that host, and nothing is started. Where the
  /// VM runs here it stays; where it is off here it is defined again if need be, and a person
  /// starts it. refused while the destination answers, or if nothing is uncertain. A restart before
  /// the end forgets the word.
  boost::asio::awaitable<Result<Operation>> abort(std::string id, bool fenced = false);

  /// Newest first, without definitions, which hold secrets. With arrivals: see Arrivals.
  std::vector<Operation> all() const;
  /// Where each of them stands, in no order.
  std::vector<OperationState> states() const;
  std::optional<Operation> find(const std::string& id) const;
  bool busy(const Uuid& vm) const;
  /// Moves that are under way, for planners.
  std::vector<Flight> flights() const;

  /// Lets every coroutine go at its next step; libvirt's moves go on without us.
  void cancel();
  boost::asio::awaitable<void> join();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace virtseer::act
