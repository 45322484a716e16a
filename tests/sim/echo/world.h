#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/session.h"
#include "base/time.h"
#include "collect/echo_session.h"

/// A guest, its virtio port and the daemons that may read it, under a clock that stands still until
/// told otherwise. The state machines are the real ones; what is simulated is what lies between
/// them.
namespace virtseer::sim {

/// The virtio port: two streams of bytes, and at most one reader on the host's side.
class Port {
 public:
  bool connected = false;
  std::string to_host, to_guest;
  /// Bytes that still get through before the link breaks; nothing: it holds.
  std::optional<std::size_t> to_host_left, to_guest_left;
  /// What was on its way to the host when the link broke waits for the next reader, as in a real
  /// port.
  bool keeps_leftovers = false;

  void breakLink() {
    connected = false;
    to_guest.clear();
    if (!keeps_leftovers) to_host.clear();
    to_host_left.reset();
    to_guest_left.reset();
  }

  /// Takes what gets through; breaks the link if that was all.
  std::string takeToHost() { return take(to_host, to_host_left); }
  std::string takeToGuest() { return take(to_guest, to_guest_left); }

 private:
  std::string take(std::string& stream, std::optional<std::size_t>& left) {
    if (!connected) return {};
    const auto count = std::min(stream.size(), left.value_or(stream.size()));
    auto out = stream.substr(0, count);
    stream.erase(0, count);
    if (left && (*left -= count) == 0) breakLink();
    return out;
  }
};

/// The agent in its VM: its monotonic clock is its own.
class Guest {
 public:
  explicit Guest(std::size_t ring_bytes = 192 * 1024, std::uint64_t epoch = 77)
      : session_({.epoch = epoch,
                  .version = "1",
                  .role = "lab",
                  .interval_ms = 5000,
                  .ring_bytes = ring_bytes}) {
    session_.columns().add("guest_ticks_total");
  }

  void advance(Millis by) { mono_ms_ += by.count(); }

  /// One round of collecting.
  void echo() {
    std::vector<double> values(session_.columns().size(), 0.0);
    values.back() = static_cast<double>(session_.nextSequence());
    session_.push(mono_ms_, values);
  }

  /// Reads and writes its port as far as that goes.
  void run(Port& port) {
    session_.receive(port.takeToGuest());
    if (session_.takeFresh() && echoes_on_greeting) echo();
    while (port.connected) {
      const auto bytes = session_.pending(mono_ms_);
      if (bytes.empty()) break;
      const auto room = room_per_run.value_or(bytes.size());
      port.to_host.append(bytes.substr(0, room));
      session_.sent(std::min(room, bytes.size()));
      if (room_per_run) break;
    }
  }

  agent::Session& session() { return session_; }
  std::uint64_t made() const { return session_.nextSequence() - 1; }

  bool echoes_on_greeting = true;
  std::optional<std::size_t> room_per_run;  ///< what the port takes at once

 private:
  std::int64_t mono_ms_ = 100'000;
  agent::Session session_;
};

/// A daemon: what it has in memory, and how much of that would survive its death.
class Daemon {
 public:
  struct Stored {
    std::uint64_t epoch, sequence;
    Timestamp time, arrived;
    std::vector<double> values;
  };

  explicit Daemon(const ManualClock& clock, collect::EchoLimits limits = {})
      : clock_(clock), limits_(limits) {}

  void connect(Port& port) {
    port.breakLink();
    port.connected = true;
    session_.emplace(limits_, position_);
    closed.clear();
    greet(port);
  }

  void leave(Port& port) {
    port.breakLink();
    settleCounters();
    session_.reset();
  }

  void run(Port& port) {
    if (!session_ || !port.connected) return;
    if (const auto again = session_->tick(clock_.mono())) again->anew ? connect(port) : greet(port);
    const auto bytes = port.takeToHost();
    if (bytes.empty()) return;
    for (auto& outcome : session_->receive(bytes, clock_.wall(), clock_.mono()))
      take(outcome, port);
    position_ = session_->position();
  }

  /// Writes everything to the disk; the agent is told if the link holds.
  void commit(Port& port) {
    durable_ = rows.size();
    if (rows.empty() || !session_ || !port.connected) return;
    if (auto ack = session_->stored(rows.back().epoch, rows.back().sequence)) port.to_guest += *ack;
  }

  /// kill -9 and a new start: what was not written is gone.
  void restart(Port& port) {
    leave(port);
    rows.resize(durable_);
    position_ = {};
    if (rows.empty()) return;
    position_.epoch = rows.back().epoch;
    position_.sequence = rows.back().sequence;
    position_.last = rows.back().time;
  }

  collect::EchoCounters counters() const {
    auto sum = past_;
    if (session_) add(sum, session_->counters());
    return sum;
  }

  std::vector<Stored> rows;
  std::string closed;  ///< why the session was ended, if it was
  std::size_t greetings = 0;

 private:
  void greet(Port& port) {
    ++greetings;
    static std::uint64_t nonce = 0;
    const bool any = durable_ > 0;
    port.to_guest += session_->start(++nonce, any ? rows[durable_ - 1].epoch : 0,
                                     any ? rows[durable_ - 1].sequence : 0, {}, clock_.mono());
  }

  void take(collect::EchoOutcome& outcome, Port& port) {
    if (auto* row = std::get_if<collect::EchoRow>(&outcome)) {
      rows.push_back({static_cast<std::uint64_t>(row->values.at(0)), row->sequence, row->time,
                      clock_.wall(), row->values});
    } else if (std::holds_alternative<collect::EchoGreetAgain>(outcome)) {
      greet(port);
    } else if (auto* close = std::get_if<collect::EchoClose>(&outcome)) {
      closed = close->reason;
      port.breakLink();
    } else if (std::holds_alternative<collect::EchoTooEarly>(outcome)) {
      closed = "too early";
      port.breakLink();
    }
  }

  void settleCounters() {
    if (session_) add(past_, session_->counters());
  }
  static void add(collect::EchoCounters& sum, const collect::EchoCounters& more) {
    sum.taken += more.taken;
    sum.duplicates += more.duplicates;
    sum.lost += more.lost;
    sum.elsewhere += more.elsewhere;
    sum.faults += more.faults;
    sum.stale += more.stale;
  }

  const ManualClock& clock_;
  const collect::EchoLimits limits_;
  std::optional<collect::EchoSession> session_;
  collect::EchoPosition position_;
  collect::EchoCounters past_;
  std::size_t durable_ = 0;
};

/// One guest, one port, one clock.
struct World {
  ManualClock clock{Timestamp(Millis(1'700'000'000'000))};
  Port port;
  Guest guest;

  explicit World(std::size_t ring_bytes = 192 * 1024) : guest(ring_bytes) {}

  void advance(Millis by) {
    clock.advance(by);
    guest.advance(by);
  }

  /// Bytes go back and forth until none is left.
  void exchange(Daemon& daemon, int rounds = 12) {
    for (int i = 0; i < rounds; ++i) {
      guest.run(port);
      daemon.run(port);
    }
  }

  /// `count` intervals of 5 s, each with an echo that is taken and stored if the link holds.
  void live(Daemon& daemon, int count) {
    for (int i = 0; i < count; ++i) {
      advance(Millis(5000));
      guest.echo();
      exchange(daemon);
      daemon.commit(port);
      exchange(daemon);
    }
  }
};

/// Numbers `first` to `last`, each once, in order; times rise strictly and none was in the future.
inline void requireWhole(const std::vector<Daemon::Stored>& rows, std::uint64_t first,
                         std::uint64_t last) {
  REQUIRE(rows.size() == last - first + 1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    REQUIRE(rows[i].sequence == first + i);
    REQUIRE(rows[i].values.at(1) == static_cast<double>(first + i));
    REQUIRE(rows[i].values.back() == static_cast<double>(first + i));
    REQUIRE(rows[i].time <= rows[i].arrived + Millis(50));
    if (i > 0) REQUIRE(rows[i].time > rows[i - 1].time);
  }
}

}  // namespace virtseer::sim
