#include "agent/columns.h"

#include <algorithm>
#include <limits>
#include <string>

#include "virtseer/echo/text.h"

namespace virtseer::agent {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Column Columns::add(std::string_view metric, std::span<const Label> labels) {
  if (names_.size() >= echo::kMaxColumns) {
    ++refused_;
    return kNoColumn;
  }
  echo::ColumnName name;
  name.metric = metric;
  name.kind = metric.ends_with("_total") ? echo::Kind::counter : echo::Kind::gauge;
  for (const auto& [label, value] : labels) name.labels.emplace(label, echo::cleanText(value));
  names_.push_back(std::move(name));
  return static_cast<Column>(names_.size() - 1);
}

void Row::clear() {
  std::fill(values_.begin(), values_.end(), kMissing);
}

void Row::set(Column column, double value) {
  if (column == kNoColumn) return;
  if (column >= values_.size()) values_.resize(column + 1, kMissing);
  values_[column] = value;
}

std::span<double> Row::values(std::size_t columns) {
  if (values_.size() < columns) values_.resize(columns, kMissing);
  return {values_.data(), columns};
}

}  // namespace virtseer::agent
