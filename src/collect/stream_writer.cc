#include "collect/stream_writer.h"

#include <algorithm>
#include <cmath>

namespace virtseer::collect {

void StreamWriter::redeclare() {
  by_name_.clear();
  by_position_.clear();
}

/// All at once, or, if together they do not fit, one by one, so that as many as there is room for
/// are kept.
std::vector<Result<Column>> StreamWriter::declare(std::span<const SeriesName> names) {
  std::vector<Result<Column>> out;
  if (const auto columns = sink_.declare(stream_, names)) {
    out.assign(columns->begin(), columns->end());
    return out;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto column = sink_.declare(stream_, names.subspan(i, 1));
    if (column)
      out.emplace_back(column->front());
    else
      out.emplace_back(fail(column.error()));
  }
  return out;
}

Result<void> StreamWriter::learn(std::span<const NamedValue> values) {
  std::vector<const SeriesName*> unknown;
  std::vector<SeriesName> names;
  for (const auto& value : values) {
    if (by_name_.contains(value.name)) continue;
    unknown.push_back(value.name);
    names.push_back(*value.name);
  }
  if (names.empty()) return {};
  Result<void> outcome;
  const auto columns = declare(names);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i])
      by_name_[unknown[i]] = *columns[i];
    else
      outcome = fail(columns[i].error());
    // A full stream stays full; after any other failure the name is declared again with the next
    // row.
    if (!columns[i] && columns[i].error().code == Code::full) by_name_[unknown[i]] = std::nullopt;
  }
  return outcome;
}

Result<void> StreamWriter::learn(std::span<const SeriesName> catalogue) {
  if (catalogue.size() <= by_position_.size()) return {};
  const auto columns = declare(catalogue.subspan(by_position_.size()));
  for (const auto& column : columns)
    if (!column && column.error().code != Code::full) return fail(column.error());
  for (const auto& column : columns)
    by_position_.push_back(column ? std::optional(*column) : std::nullopt);
  return {};
}

void StreamWriter::begin(Timestamp time) {
  row_.time = time;
  row_.columns.clear();
  row_.values.clear();
}

void StreamWriter::put(std::optional<Column> column, double value) {
  if (std::isnan(value)) return;
  if (!column) {
    ++refused_;
    return;
  }
  row_.columns.push_back(*column);
  row_.values.push_back(value);
}

Result<store::Appended> StreamWriter::append(Timestamp time, std::span<const NamedValue> values) {
  const auto learnt = learn(values);
  begin(time);
  for (const auto& value : values) {
    const auto known = by_name_.find(value.name);
    put(known == by_name_.end() ? std::nullopt : known->second, value.value);
  }
  if (row_.columns.empty() && !learnt) return fail(learnt.error());
  return sink_.append(stream_, row_);
}

Result<store::Appended> StreamWriter::append(Timestamp time, std::span<const SeriesName> catalogue,
                                             std::span<const double> values) {
  if (const auto learnt = learn(catalogue); !learnt) return fail(learnt.error());
  begin(time);
  const auto count = std::min(values.size(), by_position_.size());
  for (std::size_t i = 0; i < count; ++i) put(by_position_[i], values[i]);
  return sink_.append(stream_, row_);
}

}  // namespace virtseer::collect
