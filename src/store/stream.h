#pragma once

#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "store/series_store.h"
#include "store/slab.h"

namespace virtseer::store {

/// Rows are served from memory for at least this long after they came.
inline constexpr std::int64_t kRecentMs = 60'000;

/// The longest name of a column that is taken, metric and labels together.
inline constexpr std::size_t kMaxSeriesNameBytes = 4096;

/// One slab of a stream, and what has become of its rows.
struct Piece {
  std::shared_ptr<Slab> slab;
  std::uint32_t rows = 0, columns = 0;
  std::uint32_t journaled = 0;         ///< rows that are in the journal
  std::uint64_t segment = UINT64_MAX;  ///< oldest journal segment that holds one of them
  bool ends_chunk = false;
  bool stored = false;  ///< its chunk is in the database

  SlabView view() const { return {slab, 0, rows, columns}; }
};

/// What is known of one stream in memory: names, last values, and the rows that are not stored yet
/// or are younger than kRecentMs. One thread.
class Stream {
 public:
  explicit Stream(StreamId id) : id_(id) {}

  const StreamId& id() const { return id_; }

  /// As SeriesStore::declare; takes all names or none.
  Result<std::vector<Column>> declare(std::span<const SeriesName> names);
  std::span<const SeriesName> names() const { return names_; }

  /// Adds a row. False if it is not after the last one. Rows go into chunks of `rows_per_chunk`.
  /// `samples` is set to the number of values that were taken.
  bool append(const Row& row, std::uint32_t rows_per_chunk, std::uint64_t& samples);

  /// Updates the last values alone.
  void touch(const Row& row);

  /// Adds rows that are in the database already, behind those that are here; for reading alone.
  void addStored(const ChunkRows& rows);

  /// Ends the chunk that is being filled, if there is one.
  void closeChunk();

  /// Rows of the chunk that is being filled.
  std::uint32_t openRows() const { return open_rows_; }
  std::optional<std::int64_t> lastTime() const { return last_time_; }
  void setLastTime(std::int64_t time) { last_time_ = time; }
  void setLatest(Column column, std::int64_t time, double value);
  bool hasLatest(Column column) const;
  std::vector<Latest> latest() const;

  std::deque<Piece>& pieces() { return pieces_; }
  const std::deque<Piece>& pieces() const { return pieces_; }
  std::vector<SlabView> views() const;

  /// Drops stored pieces that are older than kRecentMs before the last row.
  void trim();
  /// Drops the oldest pieces while more than `rows` rows stay; for the store without a disk.
  void keep(std::size_t rows);

  /// Bytes of rows, names and last values.
  std::size_t bytes() const;

 private:
  Piece& pieceFor(const Row& row, std::uint32_t rows_per_chunk);
  bool fits(const Row& row) const;

  StreamId id_;
  std::vector<SeriesName> names_;
  std::vector<Column> by_name_;  // columns in order of their names
  std::size_t name_bytes_ = 0;
  std::vector<double> latest_value_;
  std::vector<std::int64_t> latest_time_;
  std::optional<std::int64_t> last_time_;
  std::deque<Piece> pieces_;
  std::size_t slab_bytes_ = 0;
  std::vector<std::uint32_t> position_;  // of each column in the last piece, or kNowhere
  std::uint32_t open_rows_ = 0;
  std::size_t open_bytes_ = 0;
};

}  // namespace virtseer::store
