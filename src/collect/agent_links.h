#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>

#include "base/task_group.h"
#include "base/time.h"
#include "collect/collect_counts.h"
#include "collect/echo_session.h"
#include "collect/guest_report.h"
#include "collect/row_sink.h"
#include "collect/row_time.h"
#include "model/machine.h"
#include "platform/environment.h"

namespace virtseer::collect {

struct AgentLinksOptions {
  EchoLimits limits;
  echo::Settings settings;  ///< what every agent is told
  Millis first_retry{500};  ///< after a link ended
  Millis retry{2000};       ///< after the next failure; from then on doubled
  Millis max_retry{30'000};
  Millis max_penalty{600'000};  ///< pause after floods and garbage, doubled from `max_retry` on
  /// What the agent of this VM is told instead of `settings`; may be empty.
  std::function<echo::Settings(Uuid vm)> instructions = {};
};

/// How far the guest stream of `vm` is stored: its latest `echo_epoch` and `echo_sequence`, and the
/// time of its last row; all zero and absent if there is none.
using StoredPosition = std::function<EchoPosition(Uuid vm)>;

/// StoredPosition that reads whatever store::SeriesStore& `current()` returns.
template <class Current>
StoredPosition positionIn(Current current) {
  return [current](Uuid vm) {
    auto& store = current();
    const StreamId stream{vm, Source::guest};
    EchoPosition position;
    position.last = store.lastTime(stream);
    const auto names = store.names(stream);
    for (const auto& latest : store.latest(stream)) {
      if (latest.column >= names.size() || !names[latest.column].labels.empty()) continue;
      if (names[latest.column].metric == "echo_epoch")
        position.epoch = static_cast<std::uint64_t>(latest.value);
      if (names[latest.column].metric == "echo_sequence")
        position.sequence = static_cast<std::uint64_t>(latest.value);
    }
    return position;
  };
}

/// Sums over all links since the daemon started, for health and /metrics. All but `connected` never
/// go down, also when a VM leaves.
struct AgentTotals {
  std::uint64_t connected = 0;  ///< now
  std::uint64_t echoes = 0, duplicates = 0, lost = 0, faults = 0;
  std::uint64_t elsewhere = 0;   ///< echoes acknowledged by another daemon, before the VM came here
  std::uint64_t failures = 0;    ///< links begun again after a fault of the daemon itself
  std::uint64_t happenings = 0;  ///< told by guests and kept as events
  std::uint64_t happenings_dropped = 0;  ///< beyond what a guest may tell
  CollectCounts counts;                  ///< `missed_beats` is not counted here
};

/// All links to agents. Each VM that runs and has the echo channel gets a coroutine that opens it,
/// greets, appends the rows that come, and opens it again when it ends: after `first_retry`,
/// `retry`, and then twice as long each time. A guest that floods or sends garbage is left alone
/// for a growing time. A guest that does not answer costs an open channel and a timer; the
/// channel is opened anew after 5 s and then twice as long each time, at most every ten minutes.
///
/// Echoes are acknowledged only once they are stored: see commitTaken() and committed(). Events
/// reported: agent.connected, agent.restarted, agent.lost (10 s without a link while the VM runs),
/// agent.refused (another protocol), agent.closed (flood, garbage), agent.failed (a fault in the
/// daemon) and clock.stepped_back (see row_time.h).
///
/// A row that the store has no room for, or no time, ends the link: the agent keeps it and what
/// follows, and sends it again when the link is opened anew, after pauses that grow. So does an
/// echo whose happenings there is no room for.
///
/// Happenings: an echo's events are handed on right after its row, and are to be on the disk no
/// later than that; so an acknowledged echo has lost none. After a crash in between, ReportSink::
/// told() says up to which echo they were stored: what is replayed up to there tells them no more.
///
/// An agent that called is served in the same way, with the channel that offer() brings: it takes
/// the place of what is open, and of calls only the newest is kept.
///
/// Loop thread only. The environments given to setVms() must outlive `co_await stop()`.
class AgentLinks {
 public:
  AgentLinks(boost::asio::any_io_executor loop, const Clock& clock, AgentLinksOptions options,
             RowSink rows, StoredPosition stored, EventSink report, ReportSink reports = {});
  ~AgentLinks();

  /// Replaces the VMs of one environment: links of VMs that are gone, do not run or lost their
  /// channel are ended, those of others begun. A VM that an environment newly names is taken over
  /// from another one.
  void setVms(platform::Environment& environment, std::span<const Vm> vms);

  /// Something happened to the VM that makes an attempt worthwhile now (started, resumed, migrated
  /// in).
  void nudge(Uuid vm);

  /// A channel to the VM's agent that the agent itself made and proved to be its own; `caller` is
  /// where from, for a person. Fails with not_found (not on this host), refused (it does not run)
  /// or busy (it flooded, or its echoes cannot be stored now: later).
  Result<void> offer(Uuid vm, std::unique_ptr<platform::Channel> channel, std::string caller);

  /// Ends the call of the VM's agent, if it is served by one: what proved it holds no longer.
  void endCall(Uuid vm);

  /// To be called right after SeriesStore::takeCommit(): what was appended until now is in that
  /// commit or an earlier one. May be left out; then acknowledgements come one commit later.
  void commitTaken();
  /// The commit taken last is written: acknowledges what it held. Not to be called if it failed,
  /// nor for a store that does not last.
  void committed();
  /// Another store serves: columns are declared again, and every agent is asked for what that store
  /// lacks.
  void storeSwapped();

  /// The VM's agent is to be told something else now: greets it anew if it is connected, so that
  /// its Hello says what has become of it. True if it is.
  bool instruct(Uuid vm);

  /// How things are with the VM's agent; `absent` with a reason where there is no link.
  AgentLink view(Uuid vm) const;
  AgentTotals totals() const;

  /// Asks the guest to make (or, all zero, to end) synthetic work; `order.id` is given here and
  /// returned once the guest accepted. The caller has checked the VM's role. Fails with unreachable
  /// (no link), refused (the guest said no, with its reason), timeout, busy.
  boost::asio::awaitable<Result<std::uint64_t>> load(Uuid vm, echo::Load order, Millis deadline);

  /// Closes every link and returns when all coroutines have ended. Once.
  boost::asio::awaitable<void> stop();

 private:
  struct Link;
  struct Connection;
  using LinkPtr = std::shared_ptr<Link>;
  using ConnectionPtr = std::shared_ptr<Connection>;

  boost::asio::awaitable<void> serve(LinkPtr link);
  boost::asio::awaitable<Millis> attempt(LinkPtr link);
  boost::asio::awaitable<Result<std::unique_ptr<platform::Channel>>> channelFor(LinkPtr link);
  boost::asio::awaitable<void> talk(LinkPtr link, std::unique_ptr<platform::Channel> channel);
  boost::asio::awaitable<void> send(LinkPtr link, ConnectionPtr connection);
  boost::asio::awaitable<void> pause(LinkPtr link, Millis span);
  void begin(const LinkPtr& link);
  void want(Link& link, const Vm& vm, platform::Environment& environment);
  void disconnect(Link& link);
  void resume(Link& link);
  void greet(Link& link);
  void take(Link& link, EchoOutcome outcome);
  void takeConnected(Link& link, const echo::Hello& hello);
  void takeRow(Link& link, EchoRow row);
  void takeReport(Link& link, EchoRow row);
  void stall(Link& link, std::string why);
  void takeLoadState(Link& link, const echo::LoadState& state);
  void takeClose(Link& link, const EchoClose& close);
  void takeTooEarly(Link& link, const EchoTooEarly& early);
  void complain(Link& link, Severity severity, std::string kind, const std::string& what);
  void count(Link& link, const EchoCounters& before);
  void lost(Link& link, const std::string& reason);
  void event(const Link& link, Severity severity, std::string kind, std::string message);

  boost::asio::any_io_executor loop_;
  const Clock& clock_;
  const AgentLinksOptions options_;
  const RowSink rows_;
  const StoredPosition stored_;
  const EventSink report_;
  const ReportSink reports_;
  std::mt19937_64 random_;
  std::uint64_t last_load_ = 0;
  std::map<Uuid, LinkPtr> links_;
  AgentTotals past_;  ///< of links that are gone, and what is not counted for each link
  StepBack step_back_;
  TaskGroup tasks_;
};

}  // namespace virtseer::collect
