#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/series.h"

namespace virtseer::store {

/// The last value of a column, as kept in memory.
struct Latest {
  Column column = 0;
  Timestamp time;  ///< of the last row that had it
  double value = kMissing;
};

/// What became of a row.
enum class Appended : std::uint8_t {
  taken,     ///< will be stored with the next commit
  late,      ///< not after the stream's last row: counted and dropped
  overflow,  ///< no room: storing has failed for too long; the latest values are updated all the
             ///< same
};

/// A frozen piece of one stream. May be read on any thread; reading may block.
class StreamView {
 public:
  virtual ~StreamView() = default;
  /// Points with from <= time < to, oldest first, for each of `columns` in their order. Decodes
  /// only the columns asked for. Chunks that are corrupt are left out and counted in `damaged`, the
  /// rest is served.
  struct Read {
    std::vector<std::vector<Point>> columns;
    std::uint32_t damaged = 0;
  };
  virtual Result<Read> read(std::span<const Column> columns) const = 0;
};

/// What is to be written next: a piece of the journal, and closed chunks.
class Commit {
 public:
  virtual ~Commit() = default;
  /// Blocks; any thread, one commit of a store at a time. `sync`: what was written since the last
  /// sync is on the disk when this returns.
  virtual Result<void> write(bool sync) = 0;
};

struct SeriesCounts {
  std::uint64_t rows = 0;     ///< taken since start
  std::uint64_t samples = 0;  ///< values in them
  std::uint64_t late = 0;
  std::uint64_t overflow = 0;
  std::uint64_t damaged = 0;  ///< chunks and journal records found corrupt
  std::size_t streams = 0;
  std::size_t series = 0;
  std::size_t open_rows = 0;  ///< in memory, also in the journal
  std::uint64_t memory_bytes = 0;
  std::uint64_t journal_bytes = 0;
  std::uint64_t disk_bytes = 0;  ///< everything but the journal, as last measured
};

/// Rows of many streams over time. Owned by the loop's thread; nothing here blocks, but for Commit
/// and StreamView, which go to a pool. The contract: tests/contract/store.
class SeriesStore {
 public:
  virtual ~SeriesStore() = default;

  /// Gives each name its column in the stream, new ones included, in the order of `names`. Columns
  /// are stable for the life of the store. Fails with Code::full beyond `echo::kMaxColumns` of a
  /// stream.
  virtual Result<std::vector<Column>> declare(StreamId stream,
                                              std::span<const SeriesName> names) = 0;

  /// Appends one row; every column must have been declared. Missing values may be given as NaN or
  /// left out.
  virtual Appended append(StreamId stream, const Row& row) = 0;

  /// Every stream ever seen, in order of its id.
  virtual std::vector<StreamId> streams() const = 0;

  /// The names of a stream's columns, by column; empty if it is not known.
  virtual std::span<const SeriesName> names(StreamId stream) const = 0;

  /// The last value of each column that has one, by column.
  virtual std::vector<Latest> latest(StreamId stream) const = 0;

  /// Time of the stream's last row.
  virtual std::optional<Timestamp> lastTime(StreamId stream) const = 0;

  /// Points from memory alone with time >= since, for each column: complete for at least the last
  /// 60 s, never blocks.
  virtual std::vector<std::vector<Point>> recent(StreamId stream, std::span<const Column> columns,
                                                 Timestamp since) const = 0;

  /// Everything of the stream with from <= time < to, as of now.
  virtual std::shared_ptr<const StreamView> view(StreamId stream, Timestamp from,
                                                 Timestamp to) const = 0;

  /// What has come since the last commit was taken; null if there is nothing to write, nor to sync
  /// after commits that were written without. The caller
  /// runs its write() on a pool and hands it back to settle(); only then takes the next one.
  /// `close_idle`: streams whose last row is older are closed into a chunk too.
  virtual std::unique_ptr<Commit> takeCommit(Timestamp close_idle) = 0;

  /// Hands a commit back with what its write() returned. After a failure its rows are kept (up to
  /// the store's bound) and are part of the next commit.
  virtual void settle(std::unique_ptr<Commit> commit, const Result<void>& outcome) = 0;

  virtual SeriesCounts counts() const = 0;
};

}  // namespace virtseer::store
