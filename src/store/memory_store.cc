#include <deque>
#include <map>

#include "store/durable_events.h"
#include "store/durable_tables.h"
#include "store/store.h"
#include "store/stream.h"

namespace virtseer::store {
namespace {

constexpr std::size_t kMaxEvents = 10'000;
/// Slabs hold few rows each, so that the oldest rows can be dropped in small steps.
constexpr std::uint32_t kRowsPerChunk = 16;

std::int64_t msOf(Timestamp time) {
  return time.time_since_epoch().count();
}

class MemoryView final : public StreamView {
 public:
  MemoryView(std::int64_t from, std::int64_t to, std::vector<SlabView> views)
      : from_(from), to_(to), views_(std::move(views)) {}
  Result<Read> read(std::span<const Column> columns) const override {
    Read read;
    read.columns.resize(columns.size());
    collectPoints(views_, columns, from_, to_, read.columns);
    return read;
  }

 private:
  std::int64_t from_, to_;
  std::vector<SlabView> views_;
};

class MemoryCommit final : public Commit {
 public:
  Result<void> write(bool) override { return {}; }
};

class MemorySeries final : public SeriesStore {
 public:
  explicit MemorySeries(std::size_t rows) : rows_(rows) {}

  Result<std::vector<Column>> declare(StreamId id, std::span<const SeriesName> names) override {
    const bool fresh = !streams_.contains(id);
    Stream& stream = streamOf(id);
    const std::size_t before = stream.names().size();
    auto columns = stream.declare(names);
    changed_ = changed_ || fresh || stream.names().size() > before;
    return columns;
  }
  Appended append(StreamId id, const Row& row) override {
    Stream& stream = streamOf(id);
    if (!stream.append(row, kRowsPerChunk, counts_.samples)) {
      ++counts_.late;
      return Appended::late;
    }
    ++counts_.rows;
    stream.keep(rows_);
    changed_ = true;
    return Appended::taken;
  }
  std::vector<StreamId> streams() const override {
    std::vector<StreamId> ids;
    for (const auto& [id, stream] : streams_) ids.push_back(id);
    return ids;
  }
  std::span<const SeriesName> names(StreamId id) const override {
    const Stream* stream = find(id);
    return stream == nullptr ? std::span<const SeriesName>{} : stream->names();
  }
  std::vector<Latest> latest(StreamId id) const override {
    const Stream* stream = find(id);
    return stream == nullptr ? std::vector<Latest>{} : stream->latest();
  }
  std::optional<Timestamp> lastTime(StreamId id) const override {
    const Stream* stream = find(id);
    if (stream == nullptr || !stream->lastTime()) return std::nullopt;
    return Timestamp(Millis(*stream->lastTime()));
  }
  std::vector<std::vector<Point>> recent(StreamId id, std::span<const Column> columns,
                                         Timestamp since) const override {
    std::vector<std::vector<Point>> points(columns.size());
    const Stream* stream = find(id);
    if (stream != nullptr) collectPoints(stream->views(), columns, msOf(since), INT64_MAX, points);
    return points;
  }
  std::shared_ptr<const StreamView> view(StreamId id, Timestamp from, Timestamp to) const override {
    const Stream* stream = find(id);
    return std::make_shared<MemoryView>(
        msOf(from), msOf(to), stream == nullptr ? std::vector<SlabView>{} : stream->views());
  }
  std::unique_ptr<Commit> takeCommit(Timestamp) override {
    if (!changed_ || in_commit_) return nullptr;
    changed_ = false;
    in_commit_ = true;
    return std::make_unique<MemoryCommit>();
  }
  void settle(std::unique_ptr<Commit>, const Result<void>& outcome) override {
    in_commit_ = false;
    changed_ = changed_ || !outcome;
  }
  SeriesCounts counts() const override {
    SeriesCounts counts = counts_;
    counts.streams = streams_.size();
    for (const auto& [id, stream] : streams_) {
      counts.series += stream.names().size();
      counts.memory_bytes += stream.bytes();
      for (const Piece& piece : stream.pieces()) counts.open_rows += piece.rows;
    }
    return counts;
  }

 private:
  Stream& streamOf(const StreamId& id) { return streams_.try_emplace(id, id).first->second; }
  const Stream* find(const StreamId& id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
  }

  std::size_t rows_;
  std::map<StreamId, Stream> streams_;
  bool changed_ = false;
  bool in_commit_ = false;
  SeriesCounts counts_;
};

class MemoryEvents final : public EventLog {
 public:
  std::uint64_t append(Event event) override {
    event.id = next_id_++;
    events_.push_back(bounded(std::move(event)));
    if (events_.size() > kMaxEvents) {
      events_.pop_front();
      ++dropped_;
    }
    changed_ = true;
    return events_.back().id;
  }
  std::function<Result<void>()> writer() override {
    if (!std::exchange(changed_, false)) return {};
    return [] { return Result<void>{}; };
  }
  std::function<Result<EventPage>()> finder(EventQuery query) const override {
    EventSearch search(query);
    for (auto event = events_.rbegin(); event != events_.rend(); ++event) {
      if (!search.show(*event)) break;
    }
    return [found = search.take()] { return Result<EventPage>(found); };
  }
  std::uint64_t dropped() const override { return dropped_; }
  std::size_t waiting() const override { return 0; }

 private:
  std::deque<Event> events_;
  std::uint64_t dropped_ = 0;
  std::uint64_t next_id_ = 1;
  bool changed_ = false;
};

class MemorySettings final : public Settings {
 public:
  std::optional<std::string> get(const std::string& key) const override {
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<std::pair<std::string, std::string>> list(const std::string& prefix) const override {
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& entry : values_) {
      if (entry.first.starts_with(prefix)) all.push_back(entry);
    }
    return all;
  }
  void put(const std::string& key, std::string value) override {
    values_.insert_or_assign(key, std::move(value));
    changed_ = true;
  }
  void erase(const std::string& key) override { changed_ = values_.erase(key) > 0 || changed_; }
  std::function<Result<void>()> writer() override {
    if (!std::exchange(changed_, false)) return {};
    return [] { return Result<void>{}; };
  }

 private:
  std::map<std::string, std::string> values_;
  bool changed_ = false;
};

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(std::size_t rows) : series_(rows) {}
  SeriesStore& series() override { return series_; }
  EventLog& events() override { return events_; }
  Settings& settings() override { return settings_; }
  TableLog& tables() override { return *tables_; }
  std::uint64_t measureDisk() const override { return 0; }
  std::vector<std::string> remarks() const override { return {}; }

 private:
  MemorySeries series_;
  MemoryEvents events_;
  MemorySettings settings_;
  std::unique_ptr<TableLog> tables_ = memoryTables();
};

}  // namespace

std::unique_ptr<Store> memoryStore(std::size_t rows) {
  return std::make_unique<MemoryStore>(rows);
}

}  // namespace virtseer::store
