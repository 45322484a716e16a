#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/metrics_text.h"

namespace virtseer::agent {

/// Which series of a page are told: a name, in which each '*' stands for any characters, then, in
/// braces, the labels that are kept; without braces all are: "pg_stat_database_*{datname}".
struct MetricPattern {
  std::string name;
  std::optional<std::vector<std::string>> kept = {};

  /// The buckets of a histogram are many: only a pattern that ends in "_bucket" matches them.
  bool matches(const MetricSample& sample) const;
  bool keeps(std::string_view label) const;

  bool operator==(const MetricPattern&) const = default;
};

/// Nothing where it is none.
std::optional<MetricPattern> parsePattern(std::string_view text);

}  // namespace virtseer::agent
