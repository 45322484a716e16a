#pragma once

#include <memory>

#include "store/database.h"
#include "store/event_log.h"

namespace virtseer::store {

/// Events not yet written that are kept; the oldest go first, and an event says how many went.
inline constexpr std::size_t kMaxUnwrittenEvents = 10'000;

/// The longest text that an event keeps; what is longer is cut.
inline constexpr std::size_t kMaxEventText = 8192;

/// Whether a query that has reached `event` wants it; `before_id` and `limit` are the caller's.
bool matches(const Event& event, const EventQuery& query);

/// `event` with its texts and fields cut to their bounds.
Event bounded(Event event);

/// The events of the database, and those that wait to be written. Blocks.
Result<std::unique_ptr<EventLog>> openEvents(std::shared_ptr<Database> database);

/// The settings of the database. Blocks.
Result<std::unique_ptr<Settings>> openSettings(std::shared_ptr<Database> database);

}  // namespace virtseer::store
