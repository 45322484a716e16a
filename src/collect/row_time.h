#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "model/event.h"

/// What becomes of rows when the wall clock is set back.
///
/// A stream's times rise strictly. A row whose time is not after the stream's last one gets the
/// last one's time plus 1 ms, as long as that is at most kMaxAhead ahead of the clock: small steps,
/// and several rows in one millisecond. Beyond that nothing is stored until the clock has caught
/// up: rows a millisecond apart would turn every rate into nonsense, and rows in the future would
/// be missed by every question about now. An event says so, once per step; guests are told nothing
/// is stored, so that their agents keep what they have and send it again.
namespace virtseer::collect {

inline constexpr Millis kMaxAhead{1000};

/// The time for a row that should get `time`, in a stream whose last row is at `last`; nullopt: no
/// row can be stored now.
std::optional<Timestamp> rowTime(Timestamp time, std::optional<Timestamp> last, Timestamp wall);

/// Says once for each step of the wall clock what it costs. One for each collector.
class StepBack {
 public:
  /// `what` of `entity` is not stored, since the last row is at `last`. The event
  /// `clock.stepped_back` if this step was not told yet.
  std::optional<Event> refused(const std::string& what, std::optional<Uuid> entity, Timestamp last,
                               Timestamp wall);

 private:
  /// Streams of one collector end at most about this far from each other.
  static constexpr Millis kSameStep{60'000};
  std::optional<Timestamp> told_;
};

}  // namespace virtseer::collect
