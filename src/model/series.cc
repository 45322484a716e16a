#include "model/series.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace virtseer {
namespace {

constexpr std::array<std::pair<Source, std::string_view>, 3> kSources{
    {{Source::guest, "guest"}, {Source::libvirt, "libvirt"}, {Source::host, "host"}}};

constexpr std::array<std::pair<Aggregation, std::string_view>, 12> kAggregations{
    {{Aggregation::none, "none"},
     {Aggregation::mean, "mean"},
     {Aggregation::min, "min"},
     {Aggregation::max, "max"},
     {Aggregation::last, "last"},
     {Aggregation::sum, "sum"},
     {Aggregation::count, "count"},
     {Aggregation::p50, "p50"},
     {Aggregation::p95, "p95"},
     {Aggregation::p99, "p99"},
     {Aggregation::rate, "rate"},
     {Aggregation::increase, "increase"}}};

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  if (below + 1 >= values.size()) return values.back();
  const double part = place - static_cast<double>(below);
  return values[below] * (1 - part) + values[below + 1] * part;
}

/// Sum of the rises from `base` through `values`; after a fall the counter began at zero again.
double increase(std::optional<double> base, const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    if (base) sum += value >= *base ? value - *base : value;
    base = value;
  }
  return sum;
}

double fold(const std::vector<double>& values, Aggregation aggregation) {
  switch (aggregation) {
    case Aggregation::min:
      return *std::min_element(values.begin(), values.end());
    case Aggregation::max:
      return *std::max_element(values.begin(), values.end());
    case Aggregation::p50:
      return quantile(values, 0.50);
    case Aggregation::p95:
      return quantile(values, 0.95);
    case Aggregation::p99:
      return quantile(values, 0.99);
    case Aggregation::count:
      return static_cast<double>(values.size());
    case Aggregation::last:
      return values.back();
    default:
      break;
  }
  double sum = 0;
  for (const double value : values) sum += value;
  return aggregation == Aggregation::mean ? sum / static_cast<double>(values.size()) : sum;
}

}  // namespace

std::string_view name(Source source) {
  for (const auto& [value, text] : kSources)
    if (value == source) return text;
  return "unknown";
}

std::optional<Source> parseSource(std::string_view text) {
  for (const auto& [value, known] : kSources)
    if (known == text) return value;
  return std::nullopt;
}

std::string_view name(Aggregation aggregation) {
  for (const auto& [value, text] : kAggregations)
    if (value == aggregation) return text;
  return "none";
}

std::optional<Aggregation> parseAggregation(std::string_view text) {
  for (const auto& [value, known] : kAggregations)
    if (known == text) return value;
  return std::nullopt;
}

std::vector<Point> aggregate(const std::vector<Point>& points, Timestamp from, Timestamp to,
                             Millis step, Aggregation aggregation) {
  std::vector<Point> out;
  if (to <= from) return out;
  if (aggregation == Aggregation::none) {
    std::copy_if(points.begin(), points.end(), std::back_inserter(out),
                 [&](const Point& point) { return point.time >= from && point.time < to; });
    return out;
  }
  if (step <= Millis(0)) step = to - from;
  const bool rises = aggregation == Aggregation::rate || aggregation == Aggregation::increase;

  std::optional<Point> base;
  auto point = points.begin();
  for (; point != points.end() && point->time < from; ++point) base = *point;

  std::vector<double> values;
  while (point != points.end() && point->time < to) {
    const Timestamp start = from + (point->time - from) / step * step;
    const auto first = point;
    values.clear();
    for (; point != points.end() && point->time < std::min(start + step, to); ++point)
      values.push_back(point->value);
    const Point last = *(point - 1);
    if (!rises) {
      out.push_back({start, fold(values, aggregation)});
    } else if (base || values.size() > 1) {
      // The first step of a counter's life has no base: its rise counts from its own first point.
      const Timestamp since = base ? base->time : first->time;
      const double seconds = std::chrono::duration<double>(last.time - since).count();
      const double rise = increase(base ? std::optional(base->value) : std::nullopt, values);
      if (aggregation == Aggregation::increase)
        out.push_back({start, rise});
      else if (seconds > 0)
        out.push_back({start, rise / seconds});
    }
    base = last;
  }
  return out;
}

}  // namespace virtseer
