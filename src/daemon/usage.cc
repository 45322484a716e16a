#include "daemon/usage.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace virtseer::daemon {
namespace {

/// Every metric that is read below.
constexpr std::string_view kMetrics[] = {
    "libvirt_domain_info_cpu_time_seconds_total",
    "libvirt_domain_vcpu_delay_seconds_total",
    "libvirt_domain_memory_stats_available_bytes",
    "libvirt_domain_memory_stats_usable_bytes",
    "libvirt_domain_memory_stats_rss_bytes",
    "libvirt_domain_block_stats_read_bytes_total",
    "libvirt_domain_block_stats_write_bytes_total",
    "libvirt_domain_block_stats_read_time_seconds_total",
    "libvirt_domain_block_stats_read_requests_total",
    "libvirt_domain_block_stats_write_time_seconds_total",
    "libvirt_domain_block_stats_write_requests_total",
    "libvirt_domain_interface_stats_receive_bytes_total",
    "libvirt_domain_interface_stats_transmit_bytes_total",
    "guest_cpu_seconds_total",
    "guest_memory_total_bytes",
    "guest_memory_used_bytes",
    "guest_swap_total_bytes",
    "guest_swap_free_bytes",
    "guest_disk_read_bytes_total",
    "guest_disk_write_bytes_total",
    "guest_disk_read_seconds_total",
    "guest_disk_reads_total",
    "guest_disk_write_seconds_total",
    "guest_disk_writes_total",
    "guest_network_receive_bytes_total",
    "guest_network_transmit_bytes_total",
    "guest_pressure_waiting_seconds_total",
    "guest_work_units_total",
    "host_cpu_seconds_total",
    "host_memory_used_bytes",
    "host_pressure_waiting_seconds_total",
};

/// The recent rows of one stream, asked by metric.
class Recent {
 public:
  Recent(const store::SeriesStore& series, StreamId stream, std::span<const Column> columns,
         Timestamp since)
      : points_(series.recent(stream, columns, since)) {
    const auto names = series.names(stream);
    for (const Column column : columns) names_.push_back(&names[column]);
  }

  /// Sum over the metric's series of their rise per second; `keep` chooses among them by label.
  template <class Keep>
  std::optional<double> rate(std::string_view metric, Keep keep) const {
    std::optional<double> sum;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const auto& points = points_[i];
      if (names_[i]->metric != metric || !keep(names_[i]->labels) || points.size() < 2) continue;
      const double seconds =
          std::chrono::duration<double>(points.back().time - points.front().time).count();
      if (seconds <= 0) continue;
      const auto rise = aggregate(points, points.front().time, points.back().time + Millis(1),
                                  Millis(0), Aggregation::increase);
      if (!rise.empty()) sum = sum.value_or(0) + rise.front().value / seconds;
    }
    return sum;
  }
  std::optional<double> rate(std::string_view metric) const {
    return rate(metric, [](const Labels&) { return true; });
  }

  /// The last value of the metric's series, summed.
  std::optional<double> last(std::string_view metric) const {
    std::optional<double> sum;
    for (std::size_t i = 0; i < points_.size(); ++i)
      if (names_[i]->metric == metric && !points_[i].empty())
        sum = sum.value_or(0) + points_[i].back().value;
    return sum;
  }

 private:
  std::vector<const SeriesName*> names_;
  std::vector<std::vector<Point>> points_;
};

std::optional<double> difference(std::optional<double> total, std::optional<double> rest) {
  if (!total || !rest) return std::nullopt;
  return std::max(0.0, *total - *rest);
}

/// Mean time of one operation: time per second over operations per second.
std::optional<double> latency(std::optional<double> busy, std::optional<double> operations) {
  if (!busy || !operations || *operations <= 0) return std::nullopt;
  return *busy / *operations;
}

std::optional<double> pressure(const Recent& rows, std::string_view metric,
                               std::string_view resource) {
  return rows.rate(metric, [&](const Labels& labels) {
    const auto found = labels.find("resource");
    return found != labels.end() && found->second == resource;
  });
}

void fromLibvirt(api::VmUsage& usage, const Recent& rows) {
  usage.cpu_cores = rows.rate("libvirt_domain_info_cpu_time_seconds_total");
  usage.cpu_delay_cores = rows.rate("libvirt_domain_vcpu_delay_seconds_total");
  usage.memory_total_bytes = rows.last("libvirt_domain_memory_stats_available_bytes");
  usage.memory_used_bytes =
      difference(usage.memory_total_bytes, rows.last("libvirt_domain_memory_stats_usable_bytes"));
  usage.memory_rss_bytes = rows.last("libvirt_domain_memory_stats_rss_bytes");
  usage.disk_read_bytes_per_second = rows.rate("libvirt_domain_block_stats_read_bytes_total");
  usage.disk_write_bytes_per_second = rows.rate("libvirt_domain_block_stats_write_bytes_total");
  usage.disk_read_latency_seconds =
      latency(rows.rate("libvirt_domain_block_stats_read_time_seconds_total"),
              rows.rate("libvirt_domain_block_stats_read_requests_total"));
  usage.disk_write_latency_seconds =
      latency(rows.rate("libvirt_domain_block_stats_write_time_seconds_total"),
              rows.rate("libvirt_domain_block_stats_write_requests_total"));
  usage.network_receive_bytes_per_second =
      rows.rate("libvirt_domain_interface_stats_receive_bytes_total");
  usage.network_transmit_bytes_per_second =
      rows.rate("libvirt_domain_interface_stats_transmit_bytes_total");
}

/// The inside knows better: its values replace the hypervisor's where both are there.
void fromGuest(api::VmUsage& usage, const Recent& rows) {
  const auto prefer = [](std::optional<double>& value, std::optional<double> inside) {
    if (inside) value = inside;
  };
  usage.guest_cpu_cores = rows.rate("guest_cpu_seconds_total", [](const Labels& labels) {
    const auto mode = labels.find("mode");
    return mode != labels.end() && mode->second != "idle" && mode->second != "iowait" &&
           mode->second != "steal";
  });
  prefer(usage.memory_total_bytes, rows.last("guest_memory_total_bytes"));
  prefer(usage.memory_used_bytes, rows.last("guest_memory_used_bytes"));
  usage.swap_used_bytes =
      difference(rows.last("guest_swap_total_bytes"), rows.last("guest_swap_free_bytes"));
  prefer(usage.disk_read_bytes_per_second, rows.rate("guest_disk_read_bytes_total"));
  prefer(usage.disk_write_bytes_per_second, rows.rate("guest_disk_write_bytes_total"));
  prefer(usage.disk_read_latency_seconds,
         latency(rows.rate("guest_disk_read_seconds_total"), rows.rate("guest_disk_reads_total")));
  prefer(usage.disk_write_latency_seconds, latency(rows.rate("guest_disk_write_seconds_total"),
                                                   rows.rate("guest_disk_writes_total")));
  prefer(usage.network_receive_bytes_per_second, rows.rate("guest_network_receive_bytes_total"));
  prefer(usage.network_transmit_bytes_per_second, rows.rate("guest_network_transmit_bytes_total"));
  usage.pressure_cpu_ratio = pressure(rows, "guest_pressure_waiting_seconds_total", "cpu");
  usage.pressure_memory_ratio = pressure(rows, "guest_pressure_waiting_seconds_total", "memory");
  usage.pressure_io_ratio = pressure(rows, "guest_pressure_waiting_seconds_total", "io");
  usage.work_units_per_second = rows.rate("guest_work_units_total");
}

}  // namespace

std::span<const Column> UsageReader::choose(const store::SeriesStore& series, StreamId stream) {
  static const std::unordered_set<std::string_view> wanted(std::begin(kMetrics),
                                                           std::end(kMetrics));
  auto& chosen = chosen_[stream];
  const auto names = series.names(stream);
  for (; chosen.known < names.size(); ++chosen.known)
    if (wanted.contains(names[chosen.known].metric))
      chosen.columns.push_back(static_cast<Column>(chosen.known));
  return chosen.columns;
}

api::VmUsage UsageReader::vm(const store::SeriesStore& series, Uuid vm, Timestamp now,
                             Millis window) {
  const StreamId outside{vm, Source::libvirt}, inside{vm, Source::guest};
  api::VmUsage usage;
  usage.window_seconds = std::chrono::duration<double>(window).count();
  fromLibvirt(usage, Recent(series, outside, choose(series, outside), now - window));
  fromGuest(usage, Recent(series, inside, choose(series, inside), now - window));
  return usage;
}

api::HostUsage UsageReader::host(const store::SeriesStore& series, Uuid host, Timestamp now,
                                 Millis window) {
  const StreamId stream{host, Source::host};
  const Recent rows(series, stream, choose(series, stream), now - window);
  api::HostUsage usage;
  usage.cpu_cores = rows.rate("host_cpu_seconds_total", [](const Labels& labels) {
    const auto mode = labels.find("mode");
    return mode == labels.end() ||
           (mode->second != "idle" && mode->second != "iowait" && mode->second != "steal");
  });
  usage.memory_used_bytes = rows.last("host_memory_used_bytes");
  usage.pressure_cpu_ratio = pressure(rows, "host_pressure_waiting_seconds_total", "cpu");
  usage.pressure_memory_ratio = pressure(rows, "host_pressure_waiting_seconds_total", "memory");
  usage.pressure_io_ratio = pressure(rows, "host_pressure_waiting_seconds_total", "io");
  return usage;
}

bool UsageReader::balloonReports(const store::SeriesStore& series, Uuid vm, Timestamp now,
                                 Millis window) {
  const StreamId stream{vm, Source::libvirt};
  const Recent rows(series, stream, choose(series, stream), now - window);
  return rows.last("libvirt_domain_memory_stats_usable_bytes").has_value();
}

}  // namespace virtseer::daemon
