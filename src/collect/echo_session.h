#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"
#include "collect/guest_report.h"
#include "collect/row_time.h"
#include "collect/token_bucket.h"
#include "model/series.h"
#include "virtseer/echo/codec.h"

namespace virtseer::collect {

/// What a guest may do before its link is closed.
struct EchoLimits {
  /// Faulty frames of one session before it ends.
  std::uint32_t max_faults = 8;
  /// Frames per second on average; twice that at once. Echoes that a Hello announced as being in
  /// the ring are not counted, so that the replay of a full ring after a long break is no flood.
  /// What bounds a replay is bytes: `max_replay_bytes` at once, and `max_frames_per_second` *
  /// kTypicalFrameBytes per second on average, whatever the frames are.
  std::uint32_t max_frames_per_second = 50;
  std::uint64_t max_replay_bytes = 8u << 20;
  /// For the answer to a greeting; twice as much each time that none came, at most ten minutes; by
  /// the greeting's nonce up to a quarter more.
  Millis patience{5'000};

  static constexpr std::uint64_t kTypicalFrameBytes = 16 * 1024;
  /// Echoes a Hello may announce.
  static constexpr std::uint64_t kMaxRing = 1u << 20;
};

/// How far the guest stream of one VM has come: outlives sessions, and is what makes a replay
/// neither lose nor double a row.
struct EchoPosition {
  std::uint64_t epoch = 0;        ///< run of the agent; 0: none is known
  std::uint64_t sequence = 0;     ///< last echo taken of that run
  std::uint64_t dropped = 0;      ///< what the agent had lost to its full ring when it last said so
  std::uint64_t asked = 0;        ///< a missing echo that was asked for once more already
  std::optional<Timestamp> last;  ///< time of the stream's last row

  bool operator==(const EchoPosition&) const = default;
};

struct EchoCounters {
  std::uint64_t taken = 0;
  std::uint64_t duplicates = 0;  ///< dropped, since taken before
  std::uint64_t lost = 0;        ///< numbers that will never come: the ring or the link lost them
  std::uint64_t elsewhere = 0;  ///< numbers acknowledged by another daemon, before the VM came here
  std::uint64_t faults = 0;     ///< malformed, forbidden or too many frames
  std::uint64_t stale = 0;      ///< frames from before the Hello: leftovers of an earlier reader
};

/// The agent answered: what it says about itself.
struct EchoConnected {
  echo::Hello hello;
};
/// A row to store; values[i] belongs to EchoSession::columns()[i]. With it what the echo tells
/// beside it.
struct EchoRow {
  std::uint64_t sequence = 0;
  Timestamp time;
  bool replayed = false;  ///< it waited in the ring
  std::vector<double> values;
  std::vector<echo::Table> tables = {};
  std::vector<GuestHappening> happenings = {};
};
/// Call start() with a new nonce and send what it returns; or close the channel and do so on one
/// that is opened anew, in a session of its own.
struct EchoGreetAgain {
  std::string reason;
  bool anew = false;
};
/// The link must be closed. Nothing more comes out of this session.
struct EchoClose {
  std::string reason;    ///< for a person
  bool refused = false;  ///< trying again soon is of no use: another protocol
};
/// The wall clock was set back behind the stream's last row: no row can be stored now. The link
/// must be closed, and opened again later: what the agent has is not taken, so it sends it again.
/// Nothing more comes out of this session.
struct EchoTooEarly {
  Timestamp last;  ///< of the stream's last row
};
using EchoOutcome = std::variant<EchoConnected, EchoRow, echo::LoadState, echo::Sources,
                                 EchoGreetAgain, EchoClose, EchoTooEarly>;

/// The daemon's end of the echo protocol on one channel: bytes and times in, outcomes out; no I/O,
/// no clock. Whose echoes these are is known from the channel, nothing in a frame is asked.
///
/// Rows: the first two columns are filled here (`echo_epoch`, `echo_sequence`), the others are the
/// agent's; values that are not finite come out of the codec as missing. What it may
/// name and what not: catalogue_rules.h.
///
/// Times: a guest's clock is not believed, only how long it says an echo waited. A fresh echo is
/// stamped with its arrival. One that the Hello announced is stamped with the Hello's arrival less
/// the time by which the guest's monotonic clock moved between echo and Hello (at most kMaxAge),
/// and early enough that each announced one after it has a millisecond of its own up to the
/// Hello's arrival. A stream's times rise strictly: where that needs it, a row gets the last row's
/// time plus 1 ms. So no row is later than `now`, but for several in one millisecond; if one
/// would be more than kMaxAhead later (the wall clock was set back, see row_time.h) the session
/// ends before it. A happening is as much older than its echo's row as the guest says (at most
/// kMaxAge), and never later.
///
/// Gaps: a number missing within a session is asked for once by greeting again; if it is still
/// missing it is lost. Of numbers missing between sessions as many are lost as the agent says its
/// ring dropped since; the others were acknowledged by another host's daemon. An agent whose
/// numbers go back within a run is a VM that was reverted to an earlier state: its fresh echoes are
/// taken.
class EchoSession {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  static constexpr Millis kMaxAge{std::chrono::hours(24 * 7)};

  /// `unanswered`: greetings that got no answer before this session.
  EchoSession(EchoLimits limits, EchoPosition position, unsigned unanswered = 0);

  /// Zeros before each Greeting, more than any frame of a daemon is long: the head of a frame that
  /// an earlier daemon could not finish, and that the agent's reader still waits for the rest of,
  /// ends in them and not in the Greeting.
  static constexpr std::size_t kFlushBytes = 1024;

  /// Opens the session, or opens it again on the same channel: the bytes to send, the Greeting at
  /// their end.
  /// `stored_*`: up to where echoes are safely stored; `nonce`: one that was never used before.
  std::string start(std::uint64_t nonce, std::uint64_t stored_epoch, std::uint64_t stored_sequence,
                    const echo::Settings& settings, Instant now);

  /// Takes what was read from the channel.
  std::vector<EchoOutcome> receive(std::string_view bytes, Timestamp wall, Instant now);

  /// Names of the rows' columns. Grows; begins anew with each EchoConnected.
  std::span<const SeriesName> columns() const { return columns_; }

  /// The bytes of an Ack, or nothing if `epoch` is not the run of this session or no Hello came
  /// yet.
  std::optional<std::string> stored(std::uint64_t epoch, std::uint64_t sequence) const;

  /// When to call tick().
  Instant nextCheck() const { return check_; }
  /// Greets again if the agent has been silent for too long (five intervals, at least 10 s): it may
  /// have been restarted, which the channel does not tell. A greeting that is not answered in time
  /// asks for a channel that is opened anew: what a device of the emulator was left with when a
  /// VM moved or libvirtd died, closing it puts right.
  std::optional<EchoGreetAgain> tick(Instant now);
  /// Greetings in a row, up to the last one, that have no answer.
  unsigned unanswered() const { return unanswered_; }

  bool connected() const { return connected_; }
  const EchoPosition& position() const { return position_; }
  const EchoCounters& counters() const { return counters_; }

 private:
  using Outcomes = std::vector<EchoOutcome>;

  void take(const echo::Frame& frame, Timestamp wall, Instant now, Outcomes& out);
  void takeHello(std::string_view body, Timestamp wall, Outcomes& out);
  void takeCatalogue(std::string_view body, Outcomes& out);
  void takeEcho(std::string_view body, Timestamp wall, Outcomes& out);
  void takeRow(echo::Echo echo, Timestamp time, bool replayed, Outcomes& out);
  void adopt(const echo::Hello& hello);
  std::optional<Timestamp> timeOf(const echo::Echo& echo, bool replayed, Timestamp wall) const;
  static std::vector<GuestHappening> happenings(echo::Echo& echo, Timestamp row);
  void fault(std::string reason, Outcomes& out);
  void end();
  void close(std::string reason, bool refused, Outcomes& out);
  void heard(Instant now);

  const EchoLimits limits_;
  EchoPosition position_;
  EchoCounters counters_;
  TokenBucket frames_;
  TokenBucket bytes_;
  echo::FrameReader reader_;
  std::uint64_t reader_faults_ = 0;
  std::uint32_t session_faults_ = 0;
  std::uint64_t nonce_ = 0;
  bool connected_ = false;
  bool closed_ = false;
  echo::Hello hello_;
  Timestamp hello_arrival_{};
  std::uint64_t announced_left_ = 0;   ///< echoes of the ring still to come
  std::uint64_t previous_ = 0;         ///< last number seen in this session
  std::uint64_t expected_ = 0;         ///< number that comes next if none is missing
  std::vector<SeriesName> catalogue_;  ///< the agent's columns as it named them
  std::vector<std::size_t> places_;    ///< of each of them in columns_
  std::vector<SeriesName> columns_;
  Instant check_ = Instant::max();
  unsigned unanswered_;
};

}  // namespace virtseer::collect
