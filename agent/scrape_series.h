#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/metric_pattern.h"
#include "agent/source.h"

namespace virtseer::agent {

/// What was taken of scraped pages: series named app_NAME, with the label "endpoint". The values
/// of a page stand until the next one is whole. One run of the agent has kMaxSeries of them; what
/// finds no room is counted.
class ScrapeSeries {
 public:
  static constexpr std::size_t kMaxSeries = 200;

  /// A sample of a page that is being read. Samples that differ in labels alone that are not kept
  /// are added up.
  void add(std::string_view endpoint, const MetricSample& sample, const MetricPattern& pattern);
  /// The page of this endpoint is whole: from now on its values are told.
  void accept(std::string_view endpoint);
  /// Nothing is known of this endpoint: its series are missing.
  void drop(std::string_view endpoint);

  void tell(Round& round);
  /// Samples that found no room, or were told twice.
  std::uint64_t leftOut() const { return left_out_; }

 private:
  using Labels = std::vector<std::pair<std::string, std::string>>;  ///< sorted
  struct Name {
    std::string metric;
    Labels labels;  ///< that of the endpoint among them

    auto operator<=>(const Name&) const = default;
  };
  struct Series {
    std::string endpoint;
    double value;  ///< NaN: missing
    double next;   ///< of the page that is being read
    bool declared = false;
    Column column = kNoColumn;
  };

  Series* find(std::string_view endpoint, Name name);

  std::map<Name, Series> series_;
  std::uint64_t left_out_ = 0;
};

}  // namespace virtseer::agent
