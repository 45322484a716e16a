#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "virtseer/echo/wire.h"
#include "virtseer/uuid.h"

namespace virtseer {

using Kind = echo::Kind;
using Labels = std::map<std::string, std::string>;

/// Who measured: each source has its own clock ticks, and so its own timestamp column.
enum class Source : std::uint8_t {
  guest = 1,    ///< the echo agent, from inside
  libvirt = 2,  ///< the hypervisor, from outside
  host = 3,     ///< the host about itself
};
std::string_view name(Source source);
std::optional<Source> parseSource(std::string_view text);

/// All that one source says about one entity (a VM or a host): rows with a shared timestamp.
struct StreamId {
  Uuid entity;
  Source source = Source::guest;

  auto operator<=>(const StreamId&) const = default;
};

/// The name of one column of a stream. Metrics carry their unit, in Prometheus' conventions.
using SeriesName = echo::ColumnName;

/// Position of a column within its stream; stable for the life of the store.
using Column = std::uint32_t;

/// The mark of a value that is missing.
inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// One row: values[i] belongs to columns[i]; NaN is missing.
struct Row {
  Timestamp time;
  std::vector<Column> columns;
  std::vector<double> values;
};

struct Point {
  Timestamp time;
  double value = kMissing;
};

/// Points of one series, oldest first, without missing ones.
struct Series {
  StreamId stream;
  SeriesName name;
  std::vector<Point> points;
};

/// What is done with the points of each step of a window.
enum class Aggregation : std::uint8_t {
  none,
  mean,
  min,
  max,
  last,
  sum,
  count,
  p50,
  p95,
  p99,
  rate,
  increase
};
std::string_view name(Aggregation aggregation);
std::optional<Aggregation> parseAggregation(std::string_view text);

/// Folds `points` (oldest first) into steps [from + k*step, from + (k+1)*step) before `to`; the
/// result has one point per step that has data, stamped with the step's start. Quantiles
/// interpolate linearly between order statistics. `increase` and `rate` (per second) treat a fall
/// of the value as a reset of the counter to zero, and take the last point before a step as its
/// base: pass it in `points` if there is one (points before `from` serve as base only). `none`
/// returns the points of [from, to) unchanged. `step` zero means one step over the whole window.
std::vector<Point> aggregate(const std::vector<Point>& points, Timestamp from, Timestamp to,
                             Millis step, Aggregation aggregation);

}  // namespace virtseer

template <>
struct std::hash<virtseer::StreamId> {
  std::size_t operator()(const virtseer::StreamId& id) const noexcept {
    return std::hash<virtseer::Uuid>()(id.entity) * 31 + static_cast<std::size_t>(id.source);
  }
};
