#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/series.h"
#include "store/chunk.h"

namespace virtseer::store {

/// Some rows of one stream in memory, of fixed capacity so that nothing ever moves. The loop's
/// thread adds rows and columns at places that no reader has been told of yet; readers hold a
/// SlabView and read only what it covers, so no lock is needed.
struct Slab {
  Slab(std::uint32_t rows, std::uint32_t columns);

  std::uint32_t row_capacity, column_capacity;
  std::unique_ptr<std::int64_t[]> times;
  std::unique_ptr<Column[]> columns;  ///< which column stands at each position
  std::unique_ptr<double[]> values;   ///< row * column_capacity + position; NaN is missing

  double* row(std::uint32_t index) { return values.get() + std::size_t{index} * column_capacity; }
  const double* row(std::uint32_t index) const {
    return values.get() + std::size_t{index} * column_capacity;
  }
  std::size_t bytes() const;
};

/// What of a slab may be read: rows first to last - 1, positions below `columns`.
struct SlabView {
  std::shared_ptr<const Slab> slab;
  std::uint32_t first = 0, last = 0, columns = 0;
};

/// Appends the points of `columns` with from <= time < to (ms) to `out`, one list per column.
void collectPoints(std::span<const SlabView> views, std::span<const Column> columns,
                   std::int64_t from, std::int64_t to, std::vector<std::vector<Point>>& out);

/// All rows of `views` as a chunk takes them.
ChunkRows gatherRows(std::span<const SlabView> views);

}  // namespace virtseer::store
