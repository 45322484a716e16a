#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "agent/columns.h"
#include "agent/echo_ring.h"
#include "virtseer/echo/frame.h"
#include "virtseer/echo/wire.h"

namespace virtseer::agent {

/// The agent's side of the echo protocol: bytes in, bytes out, no clock and no I/O. Columns 0 to 2
/// are its own: `echo_epoch`, `echo_sequence`, `guest_echo_dropped_total`.
///
/// The caller hands in what it read (`receive`), writes what `pending` gives and says how much of
/// it was taken (`sent`), and after `receive` asks for what the daemon wants (`take...`). Nothing
/// is sent before the first greeting. A frame that was begun is always finished before another
/// begins, also across a greeting: whether the host that greets is the one that holds its first
/// half cannot be known here, and a whole stale frame or a tail without a head are both dropped by
/// the daemon, while a head without a tail would swallow the Hello behind it. Not thread-safe.
class Session {
 public:
  struct Options {
    std::uint64_t epoch = 1;  ///< random, 1 to 2^48-1
    std::string version;
    std::string role;
    std::uint32_t interval_ms = 5000;
    std::size_t ring_bytes = 1024 * 1024;  ///< touched only as far as it is used
  };

  explicit Session(Options options);

  /// The catalogue that this session announces; columns may be added at any time.
  Columns& columns() { return columns_; }
  /// Collector -> "on" or why it is off; told in each Hello, and again where it has changed since.
  void setSources(std::map<std::string, std::string> sources) { sources_ = std::move(sources); }
  void setInterval(std::uint32_t interval_ms) { options_.interval_ms = interval_ms; }

  /// The connection is a new one, with nothing of an earlier one under way: a frame that was begun
  /// is not finished, and nothing is sent before the next greeting.
  void begin();
  /// Whether a greeting came since the connection began.
  bool greeted() const { return greeted_; }

  /// Takes bytes from the daemon, in pieces of any size.
  void receive(std::string_view bytes);

  /// The bytes to write next; empty: none. Valid until the next call of anything here.
  std::string_view pending(std::int64_t now_ms);
  /// The first `bytes` of `pending` were written.
  void sent(std::size_t bytes);

  /// Numbers a row and keeps it until it is acknowledged. `values` belong to `columns()`; the first
  /// three are set here. Gives the number.
  std::uint64_t push(std::int64_t mono_ms, std::span<double> values,
                     const echo::Report& report = {});

  /// Whether a greeting asked for an echo at once since the last call.
  bool takeFresh() { return std::exchange(fresh_wanted_, false); }
  /// What the daemon wants changed since the last call; already within the protocol's limits.
  std::optional<echo::Settings> takeSettings() { return std::exchange(settings_, std::nullopt); }
  /// A load that was ordered since the last call; only the newest counts. To be answered.
  std::optional<echo::Load> takeLoad() { return std::exchange(load_, std::nullopt); }
  void answer(const echo::LoadState& state);

  std::uint64_t epoch() const { return options_.epoch; }
  /// The number of the next echo.
  std::uint64_t nextSequence() const { return next_sequence_; }
  /// Echoes pushed out of the full ring before they were acknowledged.
  std::uint64_t dropped() const { return dropped_; }
  /// Echoes kept.
  std::size_t kept() const { return ring_.count(); }
  /// What the newest echo took as a frame.
  std::size_t lastBytes() const { return scratch_.size(); }
  /// Garbage, frames that could not be understood, frames of unknown type.
  std::uint64_t faults() const { return reader_.faults() + faults_; }

 private:
  void take(const echo::Frame& frame);
  void take(const echo::Greeting& greeting);
  void take(const echo::Settings& settings);
  void chooseNext(std::int64_t now_ms);
  std::string hello(std::int64_t now_ms);
  std::string nextSources();
  std::string nextCatalogue();

  Options options_;
  Columns columns_;
  std::map<std::string, std::string> sources_, told_sources_;
  EchoRing ring_;
  echo::FrameReader reader_;

  std::uint64_t next_sequence_ = 1;
  std::uint64_t dropped_ = 0;
  std::uint64_t faults_ = 0;

  bool greeted_ = false;
  bool hello_due_ = false;
  std::uint64_t nonce_ = 0;
  std::size_t announced_ = 0;  ///< columns sent in this session
  std::uint64_t cursor_ = 0;   ///< the next echo to send in this session
  std::deque<std::string> answers_;
  std::string current_;  ///< the frame being written
  std::size_t current_sent_ = 0;
  std::string scratch_;  ///< where echoes are encoded

  bool fresh_wanted_ = false;
  std::optional<echo::Settings> settings_;
  std::optional<echo::Load> load_;
};

}  // namespace virtseer::agent
