#pragma once

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "act/arrivals.h"
#include "act/operations.h"
#include "platform/fake_actions.h"
#include "support/fake_journal.h"
#include "support/fake_peer.h"
#include "support/fake_tokens.h"
#include "support/virtual_time.h"

/// Two hosts whose fakes of libvirt are linked, and the daemons on them, under a clock that the
/// test turns. The source's side of acting is the real one at both; the destination's side is
/// either scripted here or the real one too.
namespace virtseer::sim {

using State = OperationState;
using platform::FakeActions;

inline const Uuid kVm = *Uuid::parse("00000000-0000-0000-0000-000000000001");
inline const Uuid kVm2 = *Uuid::parse("00000000-0000-0000-0000-000000000002");

inline act::MigrationOrder order(const Uuid& vm, std::string to,
                                 OperationOrigin origin = OperationOrigin::person) {
  act::MigrationOrder out;
  out.vm = vm;
  out.to = std::move(to);
  out.origin = origin;
  return out;
}

/// One host with its daemon.
class Side {
 public:
  Side(test::VirtualTime& time, std::string name, Uuid uuid);

  bool both_halves = false;  ///< the destination's side is the real one

  /// A life of the daemon begins, and takes up what the one before left.
  void start();
  /// It is killed: nothing of it runs any more.
  void kill();

  /// Makes `other` known as a peer of this daemon, and answers for it.
  void know(Side& other);
  std::shared_ptr<test::FakePeer> peer;  ///< the other one, as this daemon sees it

  Result<Operation> migrate(act::MigrationOrder order);
  Result<void> mayBegin(act::MigrationOrder order);
  Result<Operation> abort(std::string id, bool fenced = false);
  /// The only operation that there is.
  Operation only() const;

  std::string name;
  Uuid uuid;
  FakeActions libvirt;
  test::FakeJournal journal;
  test::FakePeers peers;
  std::unique_ptr<act::Operations> operations;
  std::unique_ptr<act::Arrivals> arrivals;  ///< only with both halves
  Policy policy;
  bool stopped = false;      ///< the global stop holds
  double used_cpus = 0;      ///< with both halves: of its 16
  std::optional<Uuid> gone;  ///< a VM "web" that was here once
  bool arriving = false;     ///< the arrival of each of its VMs has not ended
  bool changing = false;     ///< somebody has the definitions of its VMs changed
  act::MigrationRules rules;
  Wellbeing wellbeing;  ///< of each of its VMs
  std::vector<Event> events;
  std::vector<PastMove> moves;
  test::FakeTokens tokens;  ///< of agents
  std::size_t count(const std::string& kind) const;

  // What was asked of it as a destination.
  std::set<std::string> reserved, released, committed;
  std::optional<CommitOrder> commit_order;
  std::vector<Check> checks{{"cpu", true, "fits"}};
  bool suspended = false;  ///< its copy stands still by its daemon's own word
  std::string uri() const { return "qemu+tls://" + name + "/system"; }

 private:
  RemoteVm tell(Uuid vm);
  void startArrivals();
  void answerByScript(Side& there);
  void answerByArrivals(Side& there);

  test::VirtualTime& time_;
};

class World {
 public:
  explicit World(bool both_halves = false);
  ~World();

  /// Asks a for a move of the VM to b.
  Operation begin(act::MigrationOrder order = {});
  /// The operation at a, as it stands.
  Operation operation() const { return a.only(); }
  /// Lets time pass until the operation is in this state.
  bool reaches(State state, Millis most = Millis(600'000));
  bool ends(Millis most = Millis(600'000));
  /// Cuts or mends all between the two daemons.
  void cut(bool silent);
  /// Moves end by themselves after so long from now on; libvirt says that they go on till then.
  void movesTake(Millis span);

  void checkRunsAtAOnly();
  void checkRunsAtBOnly();

  ManualClock clock{Timestamp(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21))};
  test::VirtualTime time{clock};
  Side a, b;
  /// A third host with both halves; a's daemon and its own know each other.
  Side& third();

  // What must hold all the time; a story may widen it where libvirt itself breaks it.
  bool both_may_run = false;
  Millis none_may_run_for{30'000};
  Millis none_runs_for{0};  ///< until now

 private:
  void step(Side& from);
  int running() const;

  std::unique_ptr<Side> c_;
  std::optional<Millis> move_takes_;
  std::map<std::string, Millis> moving_for_;
};

}  // namespace virtseer::sim
