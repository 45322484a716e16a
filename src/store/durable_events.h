#pragma once

#include <memory>

#include "store/database.h"
#include "store/event_log.h"

namespace virtseer::store {

/// The longest text that an event keeps; what is longer is cut.
inline constexpr std::size_t kMaxEventText = 8192;

/// Makes the page of a query from the events, which are shown to it the newest first.
class EventSearch {
 public:
  explicit EventSearch(const EventQuery& query) : query_(query) {}

  /// False: nothing more is wanted.
  bool show(const Event& event);
  /// The same for an event that cannot be read.
  bool pass(std::uint64_t id);
  EventPage take() { return std::move(page_); }

 private:
  bool wanted(const Event& event) const;

  const EventQuery& query_;
  EventPage page_;
  std::uint64_t last_id_ = 0;
  std::size_t looked_at_ = 0;
  std::size_t too_old_ = 0;  // in a row
};

/// `event` with its texts and fields cut to their bounds.
Event bounded(Event event);

/// The events of the database, and those that wait to be written. Blocks.
Result<std::unique_ptr<EventLog>> openEvents(std::shared_ptr<Database> database);

/// The settings of the database. Blocks.
Result<std::unique_ptr<Settings>> openSettings(std::shared_ptr<Database> database);

}  // namespace virtseer::store
