#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "collect/token_bucket.h"
#include "model/event.h"
#include "virtseer/echo/report.h"

namespace virtseer::collect {

/// An echo's number within a run of the agent.
struct EchoMark {
  std::uint64_t epoch = 0, sequence = 0;

  bool operator==(const EchoMark&) const = default;
};

/// Something that happened in a guest, and when by the host's clock.
struct GuestHappening {
  Timestamp time;
  echo::Happening what;
};

/// The field of an event that says which echo told it, "EPOCH:SEQUENCE". What makes a replay after
/// a crash not double it: see AgentLinks.
inline constexpr const char* kEchoField = "echo";
/// What the kinds of all events from inside guests begin with, and no other's.
inline constexpr const char* kGuestKinds = "guest.";

/// Which echo told the event; nothing if none did.
std::optional<EchoMark> echoOf(const Event& event);

/// Where what guests tell beside their rows goes. All on the loop's thread; any may be empty.
struct ReportSink {
  /// Whether there is room for so many more events. If not, their echo is not taken.
  std::function<bool(std::size_t)> room = {};
  /// An event to be kept: on the disk no later than the row of the same echo.
  std::function<void(Event)> happened = {};
  std::function<void(Uuid vm, Timestamp time, std::vector<echo::Table> tables)> tables = {};
  /// Up to which echo the happenings of a VM are kept already.
  std::function<EchoMark(Uuid vm)> told = {};
};

/// Makes events of what happened in one VM; outlives sessions. A guest that tells of more than it
/// may has the rest counted and not kept, and one event an hour says so.
class GuestNews {
 public:
  /// Happenings of one VM: 600 an hour on average, 200 at once.
  static constexpr double kPerHour = 600, kBurst = 200;
  static constexpr Millis kSayEvery{3'600'000};

  /// Happenings of echoes up to `told` are kept already, and are passed over.
  void resume(EchoMark told) { told_ = told; }

  /// The agent says hello: its next echo will be `next`. A VM that was reverted to an earlier state
  /// uses numbers again.
  void greeted(std::uint64_t epoch, std::uint64_t next);

  /// The events of one echo, in the order in which they were told. `row` is the time of its row:
  /// these rise, so that the replay of a long break is no flood.
  std::vector<Event> events(Uuid vm, EchoMark echo, Timestamp row,
                            std::vector<GuestHappening> happenings);

  std::uint64_t taken() const { return taken_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  Event tooMany(Uuid vm, Timestamp row) const;

  EchoMark told_;
  TokenBucket bucket_{kPerHour / 3600, kBurst};
  std::uint64_t taken_ = 0;
  std::uint64_t dropped_ = 0;
  std::optional<Timestamp> said_;
};

}  // namespace virtseer::collect
