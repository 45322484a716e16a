#pragma once

#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "collect/row_sink.h"

namespace virtseer::collect {

/// A value and its name. The name must outlive the writer, and the same name must always come with
/// the same pointer; platform::intern() and the members of a host probe are such names.
struct NamedValue {
  const SeriesName* name;
  double value;
};

/// Writes rows of one stream into a sink and remembers which column each name has, so that names
/// are translated once and not with every row. Loop thread only; the sink must outlive it.
class StreamWriter {
 public:
  StreamWriter(const RowSink& sink, StreamId stream) : sink_(sink), stream_(stream) {}

  /// Appends a row of values whose names are told apart by their address. Values for which the
  /// store has no column left are left out and counted; the error is returned only if no value is
  /// left.
  Result<store::Appended> append(Timestamp time, std::span<const NamedValue> values);

  /// Appends a row whose values[i] belongs to catalogue[i]. `catalogue` may only have grown since
  /// the last call, unless redeclare() was called in between. A missing tail of values is
  /// 'missing'.
  Result<store::Appended> append(Timestamp time, std::span<const SeriesName> catalogue,
                                 std::span<const double> values);

  /// Forgets all columns: the store behind the sink was swapped, or another catalogue follows.
  void redeclare();

  /// Values left out because the store gave no column for them.
  std::uint64_t refused() const { return refused_; }

 private:
  std::vector<Result<Column>> declare(std::span<const SeriesName> names);
  Result<void> learn(std::span<const NamedValue> values);
  Result<void> learn(std::span<const SeriesName> catalogue);
  void begin(Timestamp time);
  void put(std::optional<Column> column, double value);

  const RowSink& sink_;
  StreamId stream_;
  std::unordered_map<const SeriesName*, std::optional<Column>> by_name_;
  std::vector<std::optional<Column>> by_position_;
  Row row_;
  std::uint64_t refused_ = 0;
};

}  // namespace virtseer::collect
