#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "act/journal.h"
#include "act/pause.h"
#include "act/peer.h"
#include "act/tokens.h"
#include "base/time.h"
#include "decide/reservations.h"
#include "model/event.h"
#include "platform/actions.h"

namespace virtseer::act {

/// What a destination knows about a VM that comes to it.
struct ArrivalView {
  std::optional<Presence> here;       ///< absent: our own libvirt is silent
  std::optional<Presence> at_source;  ///< absent: the source's daemon is silent
  bool source_host_answers = false;   ///< its libvirt port answers, if only by refusing
  bool source_known = true;           ///< false: no peer is known to be it, so nobody was asked
  bool suspended = false;             ///< by us; if it runs, somebody else resumed it since
  bool confirmed = false;
  bool ending = false;           ///< it was to be ended, since the source's ran: it is not the VM
  Millis running_for{0};         ///< since the copy here was first seen running
  Millis source_running_for{0};  ///< since the source first said that its copy runs and stays there
  Millis source_unchanged{0};    ///< for how long the source has said the same

  bool operator==(const ArrivalView&) const = default;
};

enum class ArrivalAct : std::uint8_t {
  wait,
  confirm,  ///< the source's copy is off: this is the VM
  suspend,  ///< nobody at the source answers: the source may run it again
  resume,   ///< the source's copy is off, or has long been paused: this one goes on
  destroy,  ///< the source's copy runs: this one must not
  gone,     ///< it is not here (any more)
};
std::string_view name(ArrivalAct act);

/// How long a copy may run here while nobody at its source answers.
inline constexpr Millis kUnheard{10'000};
/// For how long the source must have said that its copy runs before the one here is ended: both
/// hosts are asked one after the other, and a switch-over may lie between.
inline constexpr Millis kSourceRuns{2'000};

/// Rule 3 of acting, "the lost last word", as a table. Silence ends nothing: it only suspends,
/// which can be taken back. A copy is ended on the word of the source's daemon alone, and never
/// once it was confirmed. Pure.
ArrivalAct judge(const ArrivalView& view);

struct ArrivalContext {
  std::function<Host()> self;
  std::function<HostRoom()> room;
  /// Moves that come with a VM; those that are known here stay.
  std::function<void(const Uuid&, std::vector<PastMove>)> adopt;
  Tokens* tokens = nullptr;  ///< not set: none is taken
  /// True while a person has a VM here enrolled. Not set: nobody does.
  std::function<bool(const Uuid&)> changing = nullptr;
  std::function<Result<Operation>(const std::string&)> sent;  ///< our own migration of this id
  std::function<void(Event)> report;
  Pause pause = timerPause;  ///< how the watch waits
};

/// The VMs that are to come to this host: reservations, claims, and the watch over what has come
/// until its source is proven off. A VM that somebody moves here by hand has no claim and is none
/// of its business. Loop thread; `join()` before it goes.
class Arrivals {
 public:
  Arrivals(boost::asio::any_io_executor loop, const Clock& clock, platform::Actions& here,
           Peers& peers, Journal& journal, ArrivalContext context, decide::LedgerRules rules = {});
  ~Arrivals();

  /// Takes up the claims of an earlier life. To be called once the journal is readable.
  void recover();

  /// Looks at every condition; unless it is a dry run, then holds room and writes the claim down
  /// before it answers. Where a condition does not hold the answer has no reservation. Errors:
  /// invalid (hostile or contradictory), refused (maintenance, another operation of this VM), full,
  /// busy (bound), unreachable (the journal). A dry run tells of these as checks.
  boost::asio::awaitable<Result<ReserveAnswer>> reserve(ReserveOrder order);
  /// not_found: it has expired before anything came, or never was; then ask again.
  Result<Reservation> renew(const std::string& operation);
  /// Ends an arrival whose VM is not here; one that is here stays. Nothing to give back is no
  /// error.
  boost::asio::awaitable<Result<void>> release(std::string operation);
  /// The source's word that its copy is off and the VM this host's. May be repeated.
  boost::asio::awaitable<Result<void>> commit(std::string operation, CommitOrder order);
  /// The token of the agent of a VM that was taken over; once: said again it changes nothing, since
  /// the VM may have been enrolled anew. refused: the VM was not taken over by this operation, or
  /// has left or come anew since; busy: it is being enrolled; unreachable: that it came cannot be
  /// written down; invalid, full, failed: as Tokens::keep(). Reports vm.token_taken.
  boost::asio::awaitable<Result<void>> takeToken(std::string operation, std::string token);
  /// A person sees to the token of this VM here: none that is still to follow it is taken.
  boost::asio::awaitable<void> settleToken(Uuid vm);
  /// True while the token of this VM may still follow it: its move has not ended, or did so within
  /// the last minute.
  bool awaitsToken(const Uuid& vm) const;
  /// Starts a VM once that died here after its source was proven off. refused in every other case.
  boost::asio::awaitable<Result<void>> revive(std::string operation);

  /// To be called for each notice of a VM's lifecycle: the watch begins at once.
  void nudge(const Uuid& vm);

  /// True if the VM of this arrival may be asked to go back: its source is proven off, and the move
  /// has not ended.
  bool mayReturn(const std::string& operation) const;
  /// Arrivals as operations, newest first; the ended ones among them are bounded.
  std::vector<Operation> all() const;
  std::optional<Operation> find(const std::string& id) const;
  /// True while an arrival of this VM has not ended.
  bool expects(const Uuid& vm) const;
  bool suspended(const Uuid& vm) const;  ///< by us
  /// Room that is held for VMs which are not counted in `room().present` yet.
  std::vector<Reservation> reservations() const;
  /// Those that have not ended: a VM that is still verified is not to be moved on.
  std::vector<Flight> flights() const;

  /// Lets every watch go at its next step; claims stay written down.
  void cancel();
  boost::asio::awaitable<void> join();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace virtseer::act
