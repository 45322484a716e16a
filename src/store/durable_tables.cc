#include "store/durable_tables.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "store/keys.h"
#include "store/table_value.h"

namespace virtseer::store {
namespace {

/// What one search decodes at most: more than a day of one VM, told once a minute.
constexpr std::size_t kMaxLookedAt = 1500;
constexpr std::size_t kMemoryRecords = 64;
constexpr std::int64_t kFirstTime = INT64_MIN;

/// What a VM told at one time.
struct Record {
  Uuid vm;
  Timestamp time;
  std::vector<echo::Table> tables;

  std::size_t cells() const {
    std::size_t sum = 1;
    for (const auto& table : tables) sum += table.cells.size() + table.columns.size();
    return sum;
  }
};
using Shared = std::shared_ptr<const Record>;

std::string keyOf(Uuid vm, std::int64_t ms) {
  return chunkKey({vm, Source::guest}, ms);
}

/// Gathers the answer from records that are shown to it, the newest first.
class Search {
 public:
  explicit Search(const TableQuery& query) : query_(query) {}

  /// False: nothing more is wanted.
  bool show(Timestamp time, const std::vector<echo::Table>& tables) {
    if (time > query_.at) return true;
    if (time <= query_.at - query_.back || ++looked_at_ > kMaxLookedAt) return false;
    for (const auto& table : tables)
      if (query_.name.empty() || table.name == query_.name)
        found_.try_emplace(table.name, KeptTable{time, table});
    return query_.name.empty() || found_.empty();
  }
  std::vector<KeptTable> take() {
    std::vector<KeptTable> out;
    for (auto& [name, kept] : found_) out.push_back(std::move(kept));
    return out;
  }

 private:
  const TableQuery& query_;
  std::map<std::string, KeptTable> found_;
  std::size_t looked_at_ = 0;
};

Result<std::vector<KeptTable>> find(const Database& database, const std::vector<Shared>& waiting,
                                    const TableQuery& query) {
  Search search(query);
  for (auto record = waiting.rbegin(); record != waiting.rend(); ++record) {
    if (!search.show((*record)->time, (*record)->tables)) return search.take();
  }
  const auto cursor = database.cursor(Family::tables);
  const std::string first = keyOf(query.vm, kFirstTime);
  cursor->seekForPrev(keyOf(query.vm, query.at.time_since_epoch().count()));
  for (bool more = true; more && cursor->valid() && cursor->key() >= first; cursor->prev()) {
    const auto time = parseChunkKey(cursor->key());
    const auto tables = parseTablesValue(cursor->value());
    if (time && tables) more = search.show(Timestamp(Millis(*time)), *tables);
  }
  if (auto status = cursor->status(); !status) return fail(status.error());
  return search.take();
}

/// What the loop's thread and the jobs share.
struct Waiting {
  std::mutex mutex;
  std::deque<Shared> records;
  std::size_t cells = 0;
  std::uint64_t dropped = 0;

  /// The mutex must be held.
  void dropFirst() {
    cells -= records.front()->cells();
    records.pop_front();
  }
};

/// Not synced: what a power cut takes of them nobody was promised.
Result<void> write(Database& database, Waiting& waiting, const std::vector<Shared>& batch) {
  std::vector<Change> changes;
  changes.reserve(batch.size());
  for (const Shared& record : batch) {
    changes.push_back({Family::tables, keyOf(record->vm, record->time.time_since_epoch().count()),
                       tablesValue(record->tables)});
  }
  if (auto written = database.write(changes, false); !written) return written;
  const std::lock_guard lock(waiting.mutex);
  // Some of them may have been dropped meanwhile.
  for (const Shared& record : batch) {
    if (!waiting.records.empty() && waiting.records.front() == record) waiting.dropFirst();
  }
  return {};
}

/// The key behind all of the stream that `key` belongs to.
std::string afterStream(std::string_view key) {
  std::string next(key.substr(0, kStreamKeyBytes));
  next.append(9, '\xff');
  return next;
}

Result<void> sweep(Database& database, Timestamp before) {
  const auto cursor = database.cursor(Family::tables);
  for (cursor->seek(""); cursor->valid(); cursor->seek(afterStream(cursor->key()))) {
    const auto stream = parseStream(cursor->key());
    const auto oldest = parseChunkKey(cursor->key());
    if (!stream || !oldest || *oldest >= before.time_since_epoch().count()) continue;
    if (auto erased = database.erase(Family::tables, cursor->key(),
                                     chunkKey(*stream, before.time_since_epoch().count()));
        !erased)
      return erased;
  }
  return cursor->status();
}

class DurableTables final : public TableLog {
 public:
  explicit DurableTables(std::shared_ptr<Database> database) : database_(std::move(database)) {}

  void append(Uuid vm, Timestamp time, std::vector<echo::Table> tables) override {
    if (tables.empty()) return;
    auto record = std::make_shared<const Record>(Record{vm, time, std::move(tables)});
    const std::lock_guard lock(waiting_->mutex);
    waiting_->cells += record->cells();
    waiting_->records.push_back(std::move(record));
    while (waiting_->cells > kMaxUnwrittenCells && waiting_->records.size() > 1) {
      waiting_->dropped += waiting_->records.front()->tables.size();
      waiting_->dropFirst();
    }
  }
  std::function<Result<void>()> writer() override {
    const std::lock_guard lock(waiting_->mutex);
    if (waiting_->records.empty()) return {};
    std::vector<Shared> batch(waiting_->records.begin(), waiting_->records.end());
    return [database = database_, waiting = waiting_, batch = std::move(batch)] {
      return write(*database, *waiting, batch);
    };
  }
  std::function<Result<std::vector<KeptTable>>()> finder(TableQuery query) const override {
    const std::lock_guard lock(waiting_->mutex);
    std::vector<Shared> waiting;
    for (const Shared& record : waiting_->records) {
      if (record->vm == query.vm) waiting.push_back(record);
    }
    return [database = database_, waiting = std::move(waiting), query = std::move(query)] {
      return find(*database, waiting, query);
    };
  }
  std::function<Result<void>()> sweeper(Timestamp before) override {
    return [database = database_, before] { return sweep(*database, before); };
  }
  std::uint64_t dropped() const override {
    const std::lock_guard lock(waiting_->mutex);
    return waiting_->dropped;
  }

 private:
  std::shared_ptr<Database> database_;
  std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
};

class MemoryTables final : public TableLog {
 public:
  void append(Uuid vm, Timestamp time, std::vector<echo::Table> tables) override {
    if (tables.empty()) return;
    auto& records = records_[vm];
    records.push_back(std::make_shared<const Record>(Record{vm, time, std::move(tables)}));
    if (records.size() > kMemoryRecords) records.pop_front();
    changed_ = true;
  }
  std::function<Result<void>()> writer() override {
    if (!std::exchange(changed_, false)) return {};
    return [] { return Result<void>{}; };
  }
  std::function<Result<std::vector<KeptTable>>()> finder(TableQuery query) const override {
    Search search(query);
    if (const auto known = records_.find(query.vm); known != records_.end()) {
      for (auto record = known->second.rbegin(); record != known->second.rend(); ++record) {
        if (!search.show((*record)->time, (*record)->tables)) break;
      }
    }
    return [found = search.take()] { return Result<std::vector<KeptTable>>(found); };
  }
  /// At once, since all of it is the loop's own.
  std::function<Result<void>()> sweeper(Timestamp before) override {
    for (auto& [vm, records] : records_)
      std::erase_if(records, [&](const Shared& record) { return record->time < before; });
    std::erase_if(records_, [](const auto& entry) { return entry.second.empty(); });
    return [] { return Result<void>{}; };
  }
  std::uint64_t dropped() const override { return 0; }

 private:
  std::map<Uuid, std::deque<Shared>> records_;
  bool changed_ = false;
};

}  // namespace

std::unique_ptr<TableLog> openTables(std::shared_ptr<Database> database) {
  return std::make_unique<DurableTables>(std::move(database));
}

std::unique_ptr<TableLog> memoryTables() {
  return std::make_unique<MemoryTables>();
}

}  // namespace virtseer::store
