#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "virtseer/echo/wire.h"

namespace virtseer::agent {

/// Position of a value within an echo's row.
using Column = std::uint32_t;
/// What `Columns::add` gives once the catalogue is full; writing to it does nothing.
inline constexpr Column kNoColumn = 0xffffffff;

/// The catalogue of one run of the agent. Columns are only ever added; at most echo::kMaxColumns.
class Columns {
 public:
  using Label = std::pair<std::string_view, std::string_view>;

  /// A new column, the kind taken from the name (`..._total` is a counter). Bytes of a label's
  /// value that no frame may carry become '?'. The caller keeps the position and does not add it
  /// twice.
  Column add(std::string_view metric, std::span<const Label> labels);
  Column add(std::string_view metric, std::initializer_list<Label> labels = {}) {
    return add(metric, std::span(labels.begin(), labels.size()));
  }

  std::span<const echo::ColumnName> names() const { return names_; }
  std::size_t size() const { return names_.size(); }
  /// Columns that found no room.
  std::uint64_t refused() const { return refused_; }

 private:
  std::vector<echo::ColumnName> names_;
  std::uint64_t refused_ = 0;
};

/// The values of one round. What no source has set is missing (NaN).
class Row {
 public:
  /// Forgets the values of the round before.
  void clear();
  void set(Column column, double value);
  /// The values of columns 0 to `columns` - 1.
  std::span<double> values(std::size_t columns);

 private:
  std::vector<double> values_;
};

}  // namespace virtseer::agent
