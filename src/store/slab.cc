#include "store/slab.h"

#include <algorithm>
#include <cmath>

namespace virtseer::store {
namespace {

constexpr std::uint32_t kNowhere = UINT32_MAX;

/// For each column of a list its position within a slab.
class Positions {
 public:
  explicit Positions(std::span<const Column> columns) {
    Column most = 0;
    for (const Column column : columns) most = std::max(most, column);
    index_.assign(columns.empty() ? 0 : std::size_t{most} + 1, kNowhere);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      index_[columns[i]] = static_cast<std::uint32_t>(i);
    }
  }
  /// Where `column` stands in the list, or kNowhere.
  std::uint32_t of(Column column) const {
    return column < index_.size() ? index_[column] : kNowhere;
  }

 private:
  std::vector<std::uint32_t> index_;
};

Timestamp stamp(std::int64_t ms) {
  return Timestamp(Millis(ms));
}

}  // namespace

Slab::Slab(std::uint32_t rows, std::uint32_t width)
    : row_capacity(rows),
      column_capacity(width),
      times(std::make_unique_for_overwrite<std::int64_t[]>(rows)),
      columns(std::make_unique_for_overwrite<Column[]>(width)),
      values(std::make_unique_for_overwrite<double[]>(std::size_t{rows} * width)) {}

std::size_t Slab::bytes() const {
  return sizeof *this + row_capacity * (sizeof(std::int64_t) + column_capacity * sizeof(double)) +
         column_capacity * sizeof(Column);
}

void collectPoints(std::span<const SlabView> views, std::span<const Column> columns,
                   std::int64_t from, std::int64_t to, std::vector<std::vector<Point>>& out) {
  if (columns.empty()) return;
  for (const SlabView& view : views) {
    if (view.first == view.last || view.slab->times[view.first] >= to ||
        view.slab->times[view.last - 1] < from) {
      continue;
    }
    const Positions positions({view.slab->columns.get(), view.columns});
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const std::uint32_t position = positions.of(columns[c]);
      if (position == kNowhere) continue;
      for (std::uint32_t r = view.first; r < view.last; ++r) {
        const std::int64_t time = view.slab->times[r];
        const double value = view.slab->row(r)[position];
        if (time >= from && time < to && !std::isnan(value)) out[c].push_back({stamp(time), value});
      }
    }
  }
}

ChunkRows gatherRows(std::span<const SlabView> views) {
  ChunkRows rows;
  for (const SlabView& view : views) {
    for (std::uint32_t r = view.first; r < view.last; ++r) {
      rows.times.push_back(view.slab->times[r]);
    }
    rows.columns.insert(rows.columns.end(), view.slab->columns.get(),
                        view.slab->columns.get() + view.columns);
  }
  std::ranges::sort(rows.columns);
  rows.columns.erase(std::ranges::unique(rows.columns).begin(), rows.columns.end());
  const Positions places(rows.columns);
  const std::size_t count = rows.times.size();
  rows.values.assign(rows.columns.size() * count, kMissing);
  std::size_t row = 0;
  for (const SlabView& view : views) {
    for (std::uint32_t position = 0; position < view.columns; ++position) {
      double* column = rows.values.data() + places.of(view.slab->columns[position]) * count + row;
      for (std::uint32_t r = view.first; r < view.last; ++r) {
        *column++ = view.slab->row(r)[position];
      }
    }
    row += view.last - view.first;
  }
  return rows;
}

}  // namespace virtseer::store
