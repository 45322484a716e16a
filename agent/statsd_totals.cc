#include "agent/statsd_totals.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "agent/figures.h"
#include "agent/float_text.h"
#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::size_t kMaxNameBytes = 96;
/// Above it a sum no longer counts single steps.
constexpr double kMaxSum = 0x1p53;

/// A microsecond is the finest that is told.
double toMillionths(double value) {
  return std::round(value * 1e6) / 1e6;
}

/// Takes what stands before the next '|' off `rest`.
std::string_view takePart(std::string_view& rest) {
  const auto end = rest.find('|');
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  return part;
}

/// A name as metrics have: what may not be in one becomes '_'. Empty where there is none.
std::string cleanName(std::string_view name) {
  std::string clean;
  if (name.size() > kMaxNameBytes) return clean;
  for (const char c : name) {
    const bool right = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    clean.push_back(right ? c : '_');
  }
  return clean;
}

}  // namespace

void StatsdTotals::take(std::string_view datagram) {
  while (!datagram.empty()) {
    const std::string_view text = takeLine(datagram);
    if (text.empty()) continue;
    const auto line = parse(text);
    ++(line && add(*line) ? taken_ : dropped_);
  }
}

std::optional<StatsdTotals::Line> StatsdTotals::parse(std::string_view text) {
  const auto colon = std::min(text.find(':'), text.size());
  Line line;
  line.key.name = cleanName(text.substr(0, colon));
  text.remove_prefix(std::min(colon + 1, text.size()));
  const std::string_view value = takePart(text);
  const std::string_view type = takePart(text);
  if (type == "g")
    line.key.type = Type::gauge;
  else if (type == "ms")
    line.key.type = Type::timer;
  else if (type != "c")
    return std::nullopt;
  const auto number = parseFloat(value);
  if (line.key.name.empty() || !number || std::isnan(*number)) return std::nullopt;
  line.value = *number;
  line.step = value.starts_with('+') || value.starts_with('-');
  while (!text.empty()) {
    const std::string_view part = takePart(text);
    if (part.starts_with('#')) continue;
    const auto rate = part.starts_with('@') ? parseFloat(part.substr(1)) : std::nullopt;
    if (!rate || !(*rate > 0 && *rate <= 1)) return std::nullopt;
    line.weight = 1 / *rate;
  }
  return line;
}

bool StatsdTotals::add(const Line& line) {
  const bool gauge = line.key.type == Type::gauge;
  if (!gauge && line.value < 0) return false;  // a counter of ours never falls
  const double amount = gauge ? line.value : line.value * line.weight;
  if (!(std::fabs(amount) <= kMaxSum) || !(line.weight <= kMaxSum)) return false;
  Total* const total = find(line.key);
  if (total == nullptr) return false;
  const double sum = gauge && !line.step ? amount : total->sum + amount;
  const double count = total->count + line.weight;
  if (!(std::fabs(sum) <= kMaxSum) || !(count <= kMaxSum)) return false;
  total->sum = sum;
  if (line.key.type != Type::timer) return true;
  total->count = count;
  total->most = std::max(total->most, line.value);
  total->fresh = true;
  return true;
}

StatsdTotals::Total* StatsdTotals::find(const Key& key) {
  if (const auto known = totals_.find(key); known != totals_.end()) return &known->second;
  const auto metrics = metricsOf(key);
  const bool free = std::none_of(metrics.begin(), metrics.end(),
                                 [&](const auto& metric) { return told_.contains(metric); });
  if (!free || totals_.size() >= kMaxNames) return nullptr;
  told_.insert(metrics.begin(), metrics.end());
  return &totals_[key];
}

/// Only counters end in _total.
std::vector<std::string> StatsdTotals::metricsOf(const Key& key) {
  const std::string name = "app_" + key.name;
  const bool total = name.ends_with("_total");
  if (key.type == Type::counter) return {total ? name : name + "_total"};
  if (key.type == Type::gauge) return {total ? name + "_value" : name};
  return {name + "_count_total", name + "_seconds_total", name + "_max_seconds"};
}

void StatsdTotals::tell(Round& round) {
  if (taken_column_ == kNoColumn) {
    taken_column_ = round.columns.add("guest_statsd_lines_total");
    dropped_column_ = round.columns.add("guest_statsd_dropped_total");
  }
  round.row.set(taken_column_, static_cast<double>(taken_));
  round.row.set(dropped_column_, static_cast<double>(dropped_));
  for (auto& [key, total] : totals_) tell(round, key, total);
}

void StatsdTotals::tell(Round& round, const Key& key, Total& total) {
  if (!total.declared) {
    const auto metrics = metricsOf(key);
    for (std::size_t i = 0; i < metrics.size(); ++i)
      total.columns[i] = round.columns.add(metrics[i], {{"protocol", "statsd"}});
    total.declared = true;
  }
  if (key.type != Type::timer) {
    round.row.set(total.columns[0], toMillionths(total.sum));
    return;
  }
  round.row.set(total.columns[0], toThousandths(total.count));
  round.row.set(total.columns[1], toMillionths(total.sum / 1000));
  if (total.fresh) round.row.set(total.columns[2], toMillionths(total.most / 1000));
  total.fresh = false;
  total.most = 0;
}

}  // namespace virtseer::agent
