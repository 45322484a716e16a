#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "act/arrival_claim.h"
#include "act/arrivals.h"
#include "base/task_group.h"

/// What the parts of Arrivals share.
namespace virtseer::act {

/// One who acts on an arrival at a time; the others wait or go. Loop thread.
class Turn {
 public:
  explicit Turn(boost::asio::any_io_executor loop)
      : freed_(std::move(loop), boost::asio::steady_timer::time_point::max()) {}

  class Held {
   public:
    explicit Held(Turn& turn) : turn_(&turn) { turn.taken_ = true; }
    Held(Held&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (!turn_) return;
      turn_->taken_ = false;
      turn_->freed_.cancel();
    }

   private:
    Turn* turn_;
  };

  std::optional<Held> tryTake();
  boost::asio::awaitable<Held> take();

 private:
  bool taken_ = false;
  boost::asio::steady_timer freed_;
};

/// A VM that comes, or came.
struct Arrival {
  using Mono = std::chrono::steady_clock::time_point;

  Arrival(const boost::asio::any_io_executor& loop, Operation claim)
      : operation(std::move(claim)),
        grip(gripOf(operation)),
        turn(loop),
        wake(loop, boost::asio::steady_timer::time_point::max()) {}

  Operation operation;  ///< as it is written down
  Grip grip;
  std::optional<Mono> running_since;  ///< here
  std::optional<Mono> source_running_since;
  std::optional<Presence> source_said;  ///< at the last look; absent: it was silent or not asked
  std::optional<Mono> source_said_since;
  std::optional<Mono> suspending_since;  ///< an attempt that was given up; it may take effect late
  std::optional<Mono> ending_since;      ///< the same of an attempt to end it
  std::optional<Mono> nowhere_since;     ///< it is not here, and its source does not say it has it
  std::optional<Mono> end_asked;         ///< the source was asked last whether its half has ended
  std::optional<Mono> confirmed_since;
  int failures = 0;        ///< of acts that our own libvirt did not do, in a row
  bool ran = false;        ///< it was seen to run here, or to stand still after it had come
  bool unwatched = false;  ///< it may have run here while nobody looked
  bool silent = false;     ///< the source's daemon did not answer the last question
  std::uint64_t acts = 0;  ///< rises with each act, so that older facts are known as such
  Turn turn;
  boost::asio::steady_timer wake;
  bool nudged = false;

  bool over() const { return ended(operation.state); }
};

/// Operations whose sources gave their room back, for a while: the question for the room may come,
/// or end, after that. Bounded, the oldest goes first.
class ReleasedIds {
 public:
  using Mono = std::chrono::steady_clock::time_point;
  void add(const std::string& operation, Mono now);
  bool contains(const std::string& operation, Mono now) const;

 private:
  std::deque<std::pair<std::string, Mono>> ids_;  ///< oldest first
};

/// The claims, the ledger and what the daemon gave. Loop thread; outlives every watch.
struct ArrivalDesk {
  ArrivalDesk(boost::asio::any_io_executor executor, const Clock& the_clock,
              platform::Actions& actions, Peers& the_peers, Journal& the_journal,
              ArrivalContext the_context, decide::LedgerRules the_rules);

  /// The arrival of this VM that has not ended.
  std::shared_ptr<Arrival> of(const Uuid& vm) const;
  std::shared_ptr<Arrival> find(const std::string& id) const;
  /// The last one by which this VM came, ended or not; one that never came is none.
  std::shared_ptr<Arrival> newest(const Uuid& vm) const;
  /// The source's daemon; null: none of the peers is known to be it.
  std::shared_ptr<Peer> source(const Uuid& host, const std::string& name) const;
  /// By the name under which it was known when the claim was made, too.
  std::shared_ptr<Peer> source(const Operation& claim) const;

  /// Our own migration `id`, if it sent this VM to the host that brings it back now.
  std::optional<Operation> sentThere(const std::string& id, const Uuid& vm,
                                     const Uuid& back_from) const;

  /// Writes the claim down; only then it is what holds.
  boost::asio::awaitable<Result<void>> keep(std::shared_ptr<Arrival> arrival, Operation next);
  /// Writes one more step down, unless it is the last one already.
  boost::asio::awaitable<Result<void>> step(std::shared_ptr<Arrival> arrival, OperationState state,
                                            std::string note);
  /// Ends it and gives its room back.
  boost::asio::awaitable<Result<void>> close(std::shared_ptr<Arrival> arrival, OperationState state,
                                             std::string message,
                                             std::vector<std::string> advice = {});
  /// Holds the room of a VM that is on its way until it is counted among those that are here.
  void holdRoom(const Operation& claim);
  bool holdsRoom(const std::string& operation);
  void report(const Operation& claim, Severity severity, std::string kind, std::string message);
  void spawnWatch(std::shared_ptr<Arrival> arrival);

  boost::asio::any_io_executor loop;
  const Clock& clock;
  platform::Actions& here;
  Peers& peers;
  Journal& journal;
  ArrivalContext context;
  decide::LedgerRules rules;
  decide::Ledger ledger;
  ReleasedIds released;
  std::map<std::string, std::shared_ptr<Arrival>> arrivals;
  bool stopping = false;
  TaskGroup tasks;

 private:
  void trim();
};

/// It has vCPUs or memory here.
bool active(const Presence& presence);
/// Names for sentences, printable and bounded.
std::string vmOf(const Operation& claim);
std::string fromOf(const Operation& claim);

/// Watches over the arrival until it ends. The desk outlives it.
boost::asio::awaitable<void> watchArrival(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival);
/// One look at both sides, and what follows from it.
boost::asio::awaitable<void> lookAfter(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival);

/// The condition looks and, unless it is a dry run, the claim: see Arrivals::reserve().
boost::asio::awaitable<Result<ReserveAnswer>> reserveHere(ArrivalDesk* desk, ReserveOrder order);

/// What the source's host said just now.
struct SourceWord {
  bool asked = false;                ///< there was somebody to ask
  std::optional<Presence> presence;  ///< its daemon's word
  bool host_answers = false;         ///< something there answered
};
/// Asks the source's daemon, and where it is silent the port of its libvirt; both at once if
/// `both`. Each has `limit`. The answer of another host than `from` is none.
boost::asio::awaitable<SourceWord> askSource(std::shared_ptr<Peer> peer, Uuid vm, Uuid from,
                                             Pause pause, Millis limit, bool both);
/// True if the source says that its half of the move has ended, so that no word of it is to come.
boost::asio::awaitable<bool> endedAtSource(std::shared_ptr<Peer> peer, std::string operation,
                                           Uuid vm);
/// How the source's half of a move stands, of which it says that it does not run the VM.
enum class SourceHalf : std::uint8_t {
  may_be_here,    ///< it goes on, or ended with the VM at the destination
  not_known,      ///< the source knows of no such move, or not any more
  ended_without,  ///< it ended otherwise: the VM may have been moved or started elsewhere since
  unknown,        ///< nothing was told
};
boost::asio::awaitable<SourceHalf> askHalf(std::shared_ptr<Peer> peer, std::string operation,
                                           Uuid vm);
/// Waits for this long, or until the timer is cancelled.
boost::asio::awaitable<void> restUntil(Pause pause, Millis span, std::shared_ptr<Arrival> arrival);

}  // namespace virtseer::act
