#include "agent/columns.h"

#include <algorithm>
#include <limits>
#include <string>

#include "virtseer/echo/text.h"

namespace virtseer::agent {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

std::string cleaned(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = echo::detail::printableSequence(text);
    if (clean.size() + std::max<std::size_t>(length, 1) > echo::kMaxTextBytes) break;
    if (length == 0)
      clean.push_back('?');
    else
      clean.append(text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return clean;
}

}  // namespace

Column Columns::add(std::string_view metric, std::initializer_list<Label> labels) {
  if (names_.size() >= echo::kMaxColumns) {
    ++refused_;
    return kNoColumn;
  }
  echo::ColumnName name;
  name.metric = metric;
  name.kind = metric.ends_with("_total") ? echo::Kind::counter : echo::Kind::gauge;
  for (const auto& [label, value] : labels) name.labels.emplace(label, cleaned(value));
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
