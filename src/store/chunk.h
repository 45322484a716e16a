#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/series.h"

namespace virtseer::store {

inline constexpr std::size_t kMaxChunkRows = 4096;

/// One chunk's rows, column by column: values[c * times.size() + r]; NaN is missing.
struct ChunkRows {
  std::vector<std::int64_t> times;  ///< ms since the epoch, rising
  std::vector<Column> columns;      ///< rising
  std::vector<double> values;
};

/// The chunk's stored value: FORMAT.md, "Chunk". Columns without any value are left out. One row at
/// least, kMaxChunkRows at most.
std::string encodeChunk(const ChunkRows& rows);

/// Reads a chunk without unpacking more than is asked for. Refers to the bytes it was opened on,
/// which must outlive it. One thread.
class ChunkReader {
 public:
  /// Checks and reads the head; Code::corrupt if it is damaged, Code::unsupported if a newer
  /// version of the program wrote it.
  static Result<ChunkReader> open(std::string_view bytes);

  std::int64_t firstTime() const { return times_.front(); }
  std::int64_t lastTime() const { return times_.back(); }
  std::size_t rows() const { return times_.size(); }
  const std::vector<std::int64_t>& times() const { return times_; }

  /// The columns that have a value here, rising.
  std::vector<Column> columns() const;
  bool has(Column column) const;

  /// Fills `values` with one number per row, NaN where it is missing; all NaN if the chunk does not
  /// have the column. Code::corrupt if the column's bytes are damaged.
  Result<void> decode(Column column, std::vector<double>& values);

 private:
  struct Place {
    Column column;
    std::uint8_t codec;
    std::uint32_t group;
    std::size_t offset, length;  // within bytes_
  };
  struct Group {
    std::uint32_t crc;
    std::size_t offset, length;
    bool checked;
  };

  ChunkReader() = default;
  bool readHead();
  const Place* find(Column column) const;

  std::string_view bytes_;
  std::vector<std::int64_t> times_;
  std::vector<Place> places_;
  std::vector<Group> groups_;
};

}  // namespace virtseer::store
