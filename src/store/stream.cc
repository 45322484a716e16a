#include "store/stream.h"

#include <algorithm>
#include <cmath>

#include "store/keys.h"

namespace virtseer::store {
namespace {

constexpr std::uint32_t kNowhere = UINT32_MAX;
constexpr std::uint32_t kSlabRows = 16;
/// A chunk is closed early rather than let one very wide stream hold more than this.
constexpr std::size_t kMaxOpenBytes = 1u << 20;

std::size_t nameBytes(const SeriesName& name) {
  std::size_t bytes = name.metric.size();
  for (const auto& [key, value] : name.labels) bytes += key.size() + value.size();
  return bytes;
}

std::uint32_t valuesIn(const Row& row) {
  std::uint32_t count = 0;
  const std::size_t size = std::min(row.columns.size(), row.values.size());
  for (std::size_t i = 0; i < size; ++i) count += !std::isnan(row.values[i]);
  return count;
}

}  // namespace

Result<std::vector<Column>> Stream::declare(std::span<const SeriesName> names) {
  const auto less = [this](Column column, const SeriesName& name) { return names_[column] < name; };
  const auto place = [&](const SeriesName& name) {
    return std::lower_bound(by_name_.begin(), by_name_.end(), name, less);
  };
  std::size_t fresh = 0;
  for (const auto& name : names) {
    if (nameBytes(name) > kMaxSeriesNameBytes || name.labels.size() > kMaxSeriesLabels) {
      return fail(Code::invalid, "the name of a series has more than " +
                                     std::to_string(kMaxSeriesNameBytes) + " bytes or " +
                                     std::to_string(kMaxSeriesLabels) + " labels");
    }
    const auto at = place(name);
    fresh += at == by_name_.end() || names_[*at] != name;
  }
  // Names that come twice in one call are counted twice: refusing a little early does no harm.
  if (names_.size() + fresh > echo::kMaxColumns) {
    return fail(Code::full,
                "a stream has at most " + std::to_string(echo::kMaxColumns) + " series");
  }
  std::vector<Column> columns;
  columns.reserve(names.size());
  for (const auto& name : names) {
    const auto at = place(name);
    if (at != by_name_.end() && names_[*at] == name) {
      columns.push_back(*at);
      continue;
    }
    const auto column = static_cast<Column>(names_.size());
    by_name_.insert(at, column);
    names_.push_back(name);
    name_bytes_ += sizeof(SeriesName) + nameBytes(name);
    columns.push_back(column);
  }
  latest_value_.resize(names_.size(), kMissing);
  latest_time_.resize(names_.size(), INT64_MIN);
  return columns;
}

bool Stream::fits(const Row& row) const {
  const Piece& piece = pieces_.back();
  std::uint32_t fresh = 0;
  const std::size_t size = std::min(row.columns.size(), row.values.size());
  for (std::size_t i = 0; i < size; ++i) {
    const Column column = row.columns[i];
    fresh += column < names_.size() && !std::isnan(row.values[i]) &&
             (column >= position_.size() || position_[column] == kNowhere);
  }
  return piece.columns + fresh <= piece.slab->column_capacity;
}

Piece& Stream::pieceFor(const Row& row, std::uint32_t rows_per_chunk) {
  if (!pieces_.empty()) {
    Piece& last = pieces_.back();
    if (!last.ends_chunk && last.rows < last.slab->row_capacity && fits(row)) return last;
  }
  const std::uint32_t present = valuesIn(row);
  const auto width = std::min<std::uint32_t>(present + present / 8 + 4, echo::kMaxColumns);
  const std::uint32_t rows = std::clamp(rows_per_chunk - open_rows_, 1U, kSlabRows);
  pieces_.push_back({.slab = std::make_shared<Slab>(rows, width)});
  slab_bytes_ += pieces_.back().slab->bytes();
  open_bytes_ += pieces_.back().slab->bytes();
  position_.assign(names_.size(), kNowhere);
  return pieces_.back();
}

bool Stream::append(const Row& row, std::uint32_t rows_per_chunk, std::uint64_t& samples) {
  const std::int64_t time = row.time.time_since_epoch().count();
  // Beyond 2^53 ms differences of times could overflow; no clock is there.
  if (time < -(1LL << 53) || time > 1LL << 53 || (last_time_ && time <= *last_time_)) return false;
  Piece& piece = pieceFor(row, rows_per_chunk);
  if (position_.size() < names_.size()) position_.resize(names_.size(), kNowhere);
  Slab& slab = *piece.slab;
  double* values = slab.row(piece.rows);
  std::fill_n(values, slab.column_capacity, kMissing);
  const std::size_t size = std::min(row.columns.size(), row.values.size());
  for (std::size_t i = 0; i < size; ++i) {
    const Column column = row.columns[i];
    const double value = row.values[i];
    if (column >= names_.size() || std::isnan(value)) continue;
    std::uint32_t& position = position_[column];
    if (position == kNowhere) {
      if (piece.columns == slab.column_capacity) continue;  // only if a row names a column twice
      position = piece.columns++;
      slab.columns[position] = column;
    }
    samples += std::isnan(values[position]);
    values[position] = value;
    latest_value_[column] = value;
    latest_time_[column] = time;
  }
  slab.times[piece.rows++] = time;
  last_time_ = time;
  if (++open_rows_ >= rows_per_chunk || open_bytes_ > kMaxOpenBytes) closeChunk();
  return true;
}

void Stream::touch(const Row& row) {
  const std::int64_t time = row.time.time_since_epoch().count();
  const std::size_t size = std::min(row.columns.size(), row.values.size());
  for (std::size_t i = 0; i < size; ++i) setLatest(row.columns[i], time, row.values[i]);
}

void Stream::addStored(const ChunkRows& rows) {
  const auto count = static_cast<std::uint32_t>(rows.times.size());
  const auto width = static_cast<std::uint32_t>(rows.columns.size());
  if (count == 0) return;
  auto slab = std::make_shared<Slab>(count, width);
  std::ranges::copy(rows.times, slab->times.get());
  std::ranges::copy(rows.columns, slab->columns.get());
  for (std::uint32_t c = 0; c < width; ++c) {
    for (std::uint32_t r = 0; r < count; ++r) {
      slab->row(r)[c] = rows.values[std::size_t{c} * count + r];
    }
  }
  slab_bytes_ += slab->bytes();
  pieces_.push_back({.slab = std::move(slab),
                     .rows = count,
                     .columns = width,
                     .journaled = count,
                     .ends_chunk = true,
                     .stored = true});
}

void Stream::closeChunk() {
  if (open_rows_ == 0) return;
  pieces_.back().ends_chunk = true;
  open_rows_ = 0;
  open_bytes_ = 0;
}

void Stream::setLatest(Column column, std::int64_t time, double value) {
  if (column >= names_.size() || std::isnan(value) || time < latest_time_[column]) return;
  latest_value_[column] = value;
  latest_time_[column] = time;
}

bool Stream::hasLatest(Column column) const {
  return column < latest_value_.size() && !std::isnan(latest_value_[column]);
}

std::vector<Latest> Stream::latest() const {
  std::vector<Latest> all;
  all.reserve(names_.size());
  for (Column column = 0; column < names_.size(); ++column) {
    if (hasLatest(column)) {
      all.push_back({column, Timestamp(Millis(latest_time_[column])), latest_value_[column]});
    }
  }
  return all;
}

std::vector<SlabView> Stream::views() const {
  std::vector<SlabView> all;
  all.reserve(pieces_.size());
  for (const Piece& piece : pieces_) all.push_back(piece.view());
  return all;
}

void Stream::trim() {
  while (!pieces_.empty() && pieces_.front().stored) {
    const Piece& piece = pieces_.front();
    if (piece.slab->times[piece.rows - 1] >= *last_time_ - kRecentMs) return;
    slab_bytes_ -= piece.slab->bytes();
    pieces_.pop_front();
  }
}

void Stream::keep(std::size_t rows) {
  std::size_t have = 0;
  for (const Piece& piece : pieces_) have += piece.rows;
  while (!pieces_.empty() && have - pieces_.front().rows >= rows) {
    have -= pieces_.front().rows;
    slab_bytes_ -= pieces_.front().slab->bytes();
    pieces_.pop_front();
  }
}

std::size_t Stream::bytes() const {
  return sizeof *this + slab_bytes_ + name_bytes_ +
         names_.size() * (sizeof(double) + sizeof(std::int64_t) + 2 * sizeof(std::uint32_t));
}

}  // namespace virtseer::store
