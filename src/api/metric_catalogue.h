#pragma once

#include <span>
#include <string_view>

#include "model/series.h"

namespace virtseer::api {

/// What a metric means. `metric` is its name in the store; /metrics may show it under a prefix.
struct MetricInfo {
  std::string_view metric;
  Kind kind;
  std::string_view unit;  ///< "seconds", "bytes", "cores", ...; empty: a plain number
  std::string_view help;  ///< one line
};

/// Every metric that the daemon and its agents are known to measure.
std::span<const MetricInfo> metricCatalogue();

/// Null if the catalogue does not have it.
const MetricInfo* findMetric(std::string_view metric);

}  // namespace virtseer::api
