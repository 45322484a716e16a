#include "decide/cost.h"

#include <algorithm>
#include <cmath>

namespace virtseer::decide {
namespace {

double link(const HostState& host, const PlannerRules& rules) {
  const double speed = host.link_bytes_per_s.value_or(rules.link_bytes_per_s);
  return std::isfinite(speed) && speed > 0 ? speed : rules.link_bytes_per_s;
}

Millis seconds(double value) {
  // A year is past every budget and far from overflow.
  return Millis(static_cast<std::int64_t>(std::clamp(value, 0.0, 3.2e7) * 1000));
}

}  // namespace

MoveCost moveCost(const PlacedVm& vm, const HostState& from, const HostState& to,
                  std::uint64_t disk_bytes, const PlannerRules& rules) {
  const double bandwidth = std::min(link(from, rules), link(to, rules));
  const double dirty = std::max(0.0, vm.dirty_bytes_per_s.value_or(0));
  const auto memory = static_cast<double>(vm.memory_bytes);
  MoveCost out;
  out.dirty_rate_known = vm.dirty_bytes_per_s.has_value();
  out.disk_bytes = disk_bytes;
  out.converges = dirty < bandwidth;
  const double copying = static_cast<double>(disk_bytes) / bandwidth;
  if (!out.converges) {
    out.memory_bytes = vm.memory_bytes;
    out.duration = seconds(1e9);
    out.downtime = seconds(memory / bandwidth);
    return out;
  }
  const double limit = std::chrono::duration<double>(rules.downtime_limit).count();
  double rest = memory;
  double sent = 0;
  static constexpr int kMostRounds = 100;
  for (int round = 0; round < kMostRounds && rest / bandwidth > limit; ++round) {
    sent += rest;
    rest *= dirty / bandwidth;
  }
  sent += rest;
  out.memory_bytes = static_cast<std::uint64_t>(std::min(sent, 9e18));
  out.duration = seconds(copying + sent / bandwidth);
  out.downtime = seconds(rest / bandwidth);
  return out;
}

}  // namespace virtseer::decide
