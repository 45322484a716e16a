#include "daemon/cpu_rows.h"

namespace virtseer::daemon {
namespace {

constexpr std::string_view kUsed = "libvirt_domain_info_cpu_time_seconds_total";
constexpr std::string_view kDelay = "libvirt_domain_vcpu_delay_seconds_total";
constexpr int kMostLacking = 3;

}  // namespace

void CpuColumns::look(std::span<const SeriesName> names) {
  for (; known < names.size(); ++known) {
    if (names[known].metric == kUsed) used = static_cast<Column>(known);
    if (names[known].metric == kDelay) delays.push_back(static_cast<Column>(known));
  }
}

std::vector<Column> CpuColumns::all() const {
  if (!used) return {};
  std::vector<Column> out{*used};
  out.insert(out.end(), delays.begin(), delays.end());
  return out;
}

std::vector<CpuReading> joinCpu(std::span<const std::vector<Point>> columns) {
  std::vector<CpuReading> out;
  if (columns.empty()) return out;
  out.reserve(columns.front().size());
  std::vector<std::size_t> at(columns.size(), 0);
  for (const auto& used : columns.front()) {
    CpuReading reading{used.time, used.value, {}, 0};
    for (std::size_t column = 1; column < columns.size(); ++column) {
      const auto& points = columns[column];
      auto& next = at[column];
      while (next < points.size() && points[next].time < used.time) ++next;
      if (next == points.size() || points[next].time != used.time) continue;
      reading.delay_s = reading.delay_s.value_or(0) + points[next].value;
      ++reading.vcpus;
    }
    out.push_back(reading);
  }
  return out;
}

std::optional<Point> VmCpu::take(const CpuReading& reading) {
  if (last_ && reading.time <= *last_) return std::nullopt;
  last_ = reading.time;
  if (reading.vcpus < vcpus_ && ++lacking_ <= kMostLacking) return std::nullopt;
  lacking_ = 0;
  if (reading.vcpus != vcpus_) {
    demand_ = {};
    delay_sum_.reset();
    vcpus_ = reading.vcpus;
  }
  if (reading.delay_s) {
    const Point sum{reading.time, *reading.delay_s};
    delay_now_.reset();
    if (delay_sum_ && sum.value >= delay_sum_->value)
      delay_now_ =
          Point{sum.time, (sum.value - delay_sum_->value) /
                              std::chrono::duration<double>(sum.time - delay_sum_->time).count()};
    delay_sum_ = sum;
  }
  const auto demand = demand_.add(reading.time, reading.used_s, reading.delay_s);
  if (demand) demand_now_ = demand;
  return demand;
}

}  // namespace virtseer::daemon
