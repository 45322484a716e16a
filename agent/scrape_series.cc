#include "agent/scrape_series.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "virtseer/echo/text.h"

namespace virtseer::agent {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::string_view kEndpoint = "endpoint";

/// The name that a series is told by. A counter ends in _total here, in other houses not always.
std::string toldName(const MetricSample& sample) {
  std::string name = "app_" + std::string(sample.name);
  std::replace(name.begin(), name.end(), ':', '_');
  if (sample.counter && !name.ends_with("_total")) name += "_total";
  return name;
}

}  // namespace

void ScrapeSeries::add(std::string_view endpoint, const MetricSample& sample,
                       const MetricPattern& pattern) {
  if (std::isnan(sample.value)) return;
  Name name{toldName(sample), {}};
  name.labels.emplace_back(kEndpoint, endpoint);
  for (const MetricLabel& label : sample.labels) {
    if (label.value.empty() || !pattern.keeps(label.name)) continue;
    const bool ours = label.name == kEndpoint || !echo::isAgentLabel(label.name);
    name.labels.emplace_back((ours ? "exported_" : "") + std::string(label.name),
                             echo::cleanText(unescaped(label.value)));
  }
  std::sort(name.labels.begin(), name.labels.end());
  Series* const series = find(endpoint, std::move(name));
  if (series == nullptr || (!pattern.kept && !std::isnan(series->next))) {
    ++left_out_;
    return;
  }
  series->next = std::isnan(series->next) ? sample.value : series->next + sample.value;
}

ScrapeSeries::Series* ScrapeSeries::find(std::string_view endpoint, Name name) {
  if (const auto known = series_.find(name); known != series_.end()) return &known->second;
  const bool fits = echo::isName(name.metric) && name.labels.size() <= echo::kMaxLabels &&
                    std::all_of(name.labels.begin(), name.labels.end(),
                                [](const auto& label) { return echo::isName(label.first); });
  if (!fits || series_.size() >= kMaxSeries) return nullptr;
  Series series{std::string(endpoint), kMissing, kMissing};
  return &series_.emplace(std::move(name), std::move(series)).first->second;
}

void ScrapeSeries::accept(std::string_view endpoint) {
  for (auto& [name, series] : series_)
    if (series.endpoint == endpoint) series.value = std::exchange(series.next, kMissing);
}

void ScrapeSeries::drop(std::string_view endpoint) {
  for (auto& [name, series] : series_)
    if (series.endpoint == endpoint) series.value = series.next = kMissing;
}

void ScrapeSeries::tell(Round& round) {
  for (auto& [name, series] : series_) {
    if (std::isnan(series.value)) continue;
    if (!series.declared) {
      const std::vector<Columns::Label> labels(name.labels.begin(), name.labels.end());
      series.column = round.columns.add(name.metric, labels);
      series.declared = true;
    }
    round.row.set(series.column, series.value);
  }
}

}  // namespace virtseer::agent
