#include "store/durable_events.h"

#include <algorithm>
#include <deque>
#include <mutex>

#include "base/text.h"
#include "store/keys.h"

namespace virtseer::store {
namespace {

/// Each start goes on at a multiple of this, more than can be unwritten at once: a number that was
/// given to an event which a crash took is never given to another one.
constexpr std::uint64_t kIdStride = 1u << 14;
static_assert(kIdStride > kMaxUnwrittenEvents);

std::string cut(std::string text) {
  if (text.size() <= kMaxEventText) return text;
  std::size_t end = kMaxEventText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

using Shared = std::shared_ptr<const Event>;

/// What the loop's thread and the jobs share.
struct Waiting {
  std::mutex mutex;
  std::deque<Shared> events;  // by id
  std::uint64_t next_id = 1;
  std::uint64_t dropped = 0;  // since an event told of it
  std::uint64_t dropped_in_all = 0;
  Timestamp last_time;
};

/// The mutex must be held.
std::uint64_t add(Waiting& waiting, Event event) {
  if (waiting.events.size() >= kMaxUnwrittenEvents) {
    waiting.events.pop_front();
    ++waiting.dropped;
    ++waiting.dropped_in_all;
  }
  event.id = waiting.next_id++;
  waiting.last_time = event.time;
  waiting.events.push_back(std::make_shared<const Event>(bounded(std::move(event))));
  return waiting.events.back()->id;
}

/// Once events can be written again, one says how many could not.
void tellDropped(Waiting& waiting) {
  if (waiting.dropped == 0) return;
  const std::string count = std::to_string(std::exchange(waiting.dropped, 0));
  add(waiting, {.id = 0,
                .time = waiting.last_time,
                .severity = Severity::warning,
                .kind = "store.events_dropped",
                .entity = std::nullopt,
                .message = count + " events were lost while they could not be written",
                .fields = {{"count", count}}});
}

Result<void> writeBatch(Database& database, Waiting& waiting, const std::vector<Shared>& batch) {
  std::vector<Change> changes;
  changes.reserve(batch.size());
  for (const Shared& event : batch) {
    changes.push_back({Family::events, eventKey(event->id), eventValue(*event)});
  }
  if (auto written = database.write(changes, true); !written) return written;
  const std::lock_guard lock(waiting.mutex);
  while (!waiting.events.empty() && waiting.events.front()->id <= batch.back()->id) {
    waiting.events.pop_front();
  }
  tellDropped(waiting);
  return {};
}

Result<EventPage> find(const Database& database, const std::vector<Shared>& waiting,
                       const EventQuery& query) {
  EventSearch search(query);
  for (auto event = waiting.rbegin(); event != waiting.rend(); ++event) {
    if (!search.show(**event)) return search.take();
  }
  // Those that waited when the query was made may have been written since: they are not taken
  // twice.
  std::uint64_t before = query.before_id;
  if (!waiting.empty()) before = std::min(before, waiting.front()->id);
  if (before == 0) return search.take();
  const auto cursor = database.cursor(Family::events);
  cursor->seekForPrev(eventKey(before - 1));
  for (bool more = true; more && cursor->valid(); cursor->prev()) {
    const auto id = parseEventKey(cursor->key());
    if (!id) continue;
    const auto event = parseEventValue(*id, cursor->value());
    more = event ? search.show(*event) : search.pass(*id);
  }
  if (auto status = cursor->status(); !status) return fail(status.error());
  return search.take();
}

class DurableEvents final : public EventLog {
 public:
  DurableEvents(std::shared_ptr<Database> database, std::uint64_t next_id)
      : database_(std::move(database)) {
    waiting_->next_id = next_id;
  }

  std::uint64_t append(Event event) override {
    const std::lock_guard lock(waiting_->mutex);
    return add(*waiting_, std::move(event));
  }

  std::function<Result<void>()> writer() override {
    const std::lock_guard lock(waiting_->mutex);
    if (waiting_->events.empty()) return {};
    std::vector<Shared> batch(waiting_->events.begin(), waiting_->events.end());
    return [database = database_, waiting = waiting_, batch = std::move(batch)] {
      return writeBatch(*database, *waiting, batch);
    };
  }

  std::function<Result<EventPage>()> finder(EventQuery query) const override {
    const std::lock_guard lock(waiting_->mutex);
    std::vector<Shared> waiting(waiting_->events.begin(), waiting_->events.end());
    return [database = database_, waiting = std::move(waiting), query = std::move(query)] {
      return find(*database, waiting, query);
    };
  }

  std::uint64_t dropped() const override {
    const std::lock_guard lock(waiting_->mutex);
    return waiting_->dropped_in_all;
  }

  std::size_t waiting() const override {
    const std::lock_guard lock(waiting_->mutex);
    return waiting_->events.size();
  }

 private:
  std::shared_ptr<Database> database_;
  std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
};

}  // namespace

bool EventSearch::wanted(const Event& event) const {
  return (!query_.from || event.time >= *query_.from) && (!query_.to || event.time < *query_.to) &&
         (!query_.entity || event.entity == query_.entity) &&
         (!query_.at_least || event.severity >= *query_.at_least) &&
         event.kind.starts_with(query_.kind_prefix);
}

bool EventSearch::pass(std::uint64_t id) {
  if (looked_at_ >= query_.look_at) {
    page_.next = last_id_;
    return false;
  }
  ++looked_at_;
  last_id_ = id;
  return true;
}

bool EventSearch::show(const Event& event) {
  if (event.id >= query_.before_id) return true;
  const std::uint64_t before = last_id_;
  if (!pass(event.id)) return false;
  if (wanted(event)) {
    too_old_ = 0;
    if (page_.events.size() >= query_.limit) {
      page_.next = page_.events.empty() ? event.id + 1 : before;
      return false;
    }
    page_.events.push_back(event);
    return true;
  }
  const bool too_old = query_.from && event.time < *query_.from - kClockSteps;
  too_old_ = too_old ? too_old_ + 1 : 0;
  return too_old_ < kEventsBeforeStart;
}

Event bounded(Event event) {
  event.kind = cut(std::move(event.kind));
  event.message = cut(std::move(event.message));
  while (event.fields.size() > kMaxEventFields) event.fields.erase(std::prev(event.fields.end()));
  for (auto& [key, value] : event.fields) value = cut(std::move(value));
  return event;
}

Result<std::unique_ptr<EventLog>> openEvents(std::shared_ptr<Database> database) {
  const auto cursor = database->cursor(Family::events);
  std::uint64_t next = 1;
  cursor->toLast();
  if (cursor->valid()) {
    const auto last = parseEventKey(cursor->key());
    if (last) next = (*last / kIdStride + 1) * kIdStride;
  }
  if (auto status = cursor->status(); !status) return fail(status.error());
  return std::make_unique<DurableEvents>(std::move(database), next);
}

}  // namespace virtseer::store
