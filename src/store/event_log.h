#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event.h"

namespace virtseer::store {

/// How many events one search looks at, as long as it is not told otherwise.
inline constexpr std::size_t kMaxEventsLookedAt = 200'000;

/// Events not yet written that are kept; the oldest go first, and an event says how many went.
inline constexpr std::size_t kMaxUnwrittenEvents = 10'000;

/// A search that has a beginning ends when it has passed `kEventsBeforeStart` events in a row that
/// are older than it by `kClockSteps`. Ids rise with time, but for steps of the clock: one that was
/// set back by less hides nothing, nor do fewer events of a start at which the clock stood wrong.
inline constexpr Millis kClockSteps = std::chrono::hours(1);
inline constexpr std::size_t kEventsBeforeStart = 1000;

/// Which events are asked for; all bounds are optional.
struct EventQuery {
  std::optional<Timestamp> from = std::nullopt, to = std::nullopt;  ///< from <= time < to
  std::optional<Uuid> entity = std::nullopt;
  std::optional<Severity> at_least = std::nullopt;
  std::string kind_prefix = {};          ///< e.g. "vm." ; empty: all
  std::uint64_t before_id = UINT64_MAX;  ///< for pages: only ids below
  std::size_t limit = 100;
  std::size_t look_at = kMaxEventsLookedAt;  ///< the page ends after so many, wanted or not
};

/// Events, newest first on reading. append() is for the loop's thread and does not block; it gives
/// the event its id. What write() and find() do blocks: run what they return on a pool.
class EventLog {
 public:
  virtual ~EventLog() = default;
  /// Keeps the event in memory until it is written; returns its id.
  virtual std::uint64_t append(Event event) = 0;
  /// A job that writes what was appended until now, all of it or nothing; an empty function if
  /// there is nothing.
  virtual std::function<Result<void>()> writer() = 0;
  /// Events that wait to be written. Beyond kMaxUnwrittenEvents the oldest are lost.
  virtual std::size_t waiting() const = 0;
  /// A job that finds a page of events, unwritten ones included.
  virtual std::function<Result<EventPage>()> finder(EventQuery query) const = 0;
  /// Events lost since the start because they could not be written for too long.
  virtual std::uint64_t dropped() const = 0;
};

/// Small named values of the daemon itself (known VMs, the host's own identity). Kept in memory
/// whole.
class Settings {
 public:
  virtual ~Settings() = default;
  virtual std::optional<std::string> get(const std::string& key) const = 0;
  /// All entries whose key begins with `prefix`.
  virtual std::vector<std::pair<std::string, std::string>> list(
      const std::string& prefix) const = 0;
  /// Takes effect in memory at once; written with the next writer().
  virtual void put(const std::string& key, std::string value) = 0;
  virtual void erase(const std::string& key) = 0;
  virtual std::function<Result<void>()> writer() = 0;
};

}  // namespace virtseer::store
