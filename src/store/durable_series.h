#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "store/chunk_view.h"
#include "store/database.h"
#include "store/durable_commit.h"
#include "store/journal.h"
#include "store/series_store.h"
#include "store/store.h"
#include "store/stream.h"

namespace virtseer::store {

/// The series over one database and one journal. restore() once, then as SeriesStore says.
class DurableSeries final : public SeriesStore {
 public:
  DurableSeries(const StoreOptions& options, std::shared_ptr<Database> database,
                std::filesystem::path journal_directory);

  /// Reads the series index, the end of every stream and the journal. Blocks.
  Result<void> restore(Timestamp now, std::vector<std::string>& remarks);

  Result<std::vector<Column>> declare(StreamId stream, std::span<const SeriesName> names) override;
  Appended append(StreamId stream, const Row& row) override;
  std::vector<StreamId> streams() const override;
  std::span<const SeriesName> names(StreamId stream) const override;
  std::vector<Latest> latest(StreamId stream) const override;
  std::optional<Timestamp> lastTime(StreamId stream) const override;
  std::vector<std::vector<Point>> recent(StreamId stream, std::span<const Column> columns,
                                         Timestamp since) const override;
  std::shared_ptr<const StreamView> view(StreamId stream, Timestamp from,
                                         Timestamp to) const override;
  std::unique_ptr<Commit> takeCommit(Timestamp close_idle) override;
  void settle(std::unique_ptr<Commit> commit, const Result<void>& outcome) override;
  SeriesCounts counts() const override;

  void setDiskBytes(std::uint64_t bytes) const { disk_bytes_ = bytes; }

 private:
  struct Entry {
    explicit Entry(StreamId id) : stream(id) {}
    Stream stream;
    Column journaled_names = 0;  // names that are in the journal or in the index
    Column listed_names = 0;     // names that are in the index
    bool listed = false;         // the stream itself is
    bool dirty = false;          // stands in dirty_
    bool awaited = false;        // stands in idle_
    std::uint64_t needed =
        UINT64_MAX;  // oldest segment that holds a row which is in no stored chunk
  };

  Entry& entry(const StreamId& id);
  const Stream* find(const StreamId& id) const;
  void mark(Entry& entry);
  void countClosed(Stream& stream, std::uint32_t open_before);
  void awaitIdle(Entry& entry);
  void noteNeeded(Entry& entry, std::uint64_t segment);
  void closeIdle(std::int64_t idle_before);
  void closePinning();
  void close(Entry& entry);
  CommitPart partOf(Entry& entry);
  void settleJournal(const CommitPart& part, std::uint64_t segment);
  void settleDatabase(Entry& entry, const CommitPart& part);
  std::uint64_t oldestNeeded() const;

  Result<void> restoreIndex();
  void restoreNames(Entry& entry, Column first, std::span<const SeriesName> names);
  Result<void> restoreEnds(std::int64_t now);
  void restoreEnd(Entry& entry, Cursor& cursor, std::int64_t now);
  Result<void> replay(std::vector<std::string>& remarks);
  Result<void> replaySegment(const Segment& segment, bool last, std::vector<std::string>& remarks);
  void replayRow(const StreamId& id, const Row& row, std::uint64_t segment);
  Result<void> storeReplayed();

  StoreOptions options_;
  std::uint32_t rows_per_chunk_;
  std::shared_ptr<Database> database_;
  std::filesystem::path journal_directory_;
  std::shared_ptr<Journal> journal_;
  DamageCount damage_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::map<StreamId, std::unique_ptr<Entry>> streams_;
  std::vector<Entry*> dirty_;
  // Streams with open rows, by a time that is not after their last row. What is looked at of them
  // for each commit is only what may be idle.
  std::set<std::pair<std::int64_t, StreamId>> idle_;
  std::set<std::pair<std::uint64_t, StreamId>>
      needed_;                        // streams that need a segment, by Entry::needed
  std::set<std::uint64_t> segments_;  // that exist, the newest one being written
  bool in_commit_ = false;
  bool unsynced_ = false;              // the journal holds rows that may not be on the disk yet
  std::size_t unjournaled_bytes_ = 0;  // of rows that are not in the journal yet
  std::size_t waiting_bytes_ = 0;      // of closed chunks that are not in the database yet
  SeriesCounts counts_;
  mutable std::atomic<std::uint64_t> disk_bytes_ = 0;
  std::int64_t now_ms_ = 0;  // the newest time that was seen, for the header of a segment
};

}  // namespace virtseer::store
