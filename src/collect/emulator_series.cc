#include "collect/emulator_series.h"

#include <cmath>
#include <map>
#include <string>

#include "ebpf/syscall_names.h"
#include "platform/environment.h"

namespace virtseer::collect {
namespace {

/// Error numbers with a series of their own; what comes later is told together.
constexpr std::size_t kErrors = 15;
constexpr const char* kErrorMetric = "libvirt_domain_emulator_syscall_errors_total";

const SeriesName* counter(const char* metric, const Labels& labels) {
  return platform::intern({metric, labels, Kind::counter});
}

double thousandths(double value) {
  return std::round(value * 1000) / 1000;
}

}  // namespace

EmulatorSeries::EmulatorSeries()
    : waits_(histogram("libvirt_domain_emulator_runqueue_waits_total",
                       "libvirt_domain_emulator_runqueue_wait_seconds_total", {})),
      reads_(histogram("libvirt_domain_emulator_block_requests_total",
                       "libvirt_domain_emulator_block_request_seconds_total",
                       {{"operation", "read"}})),
      writes_(histogram("libvirt_domain_emulator_block_requests_total",
                        "libvirt_domain_emulator_block_request_seconds_total",
                        {{"operation", "write"}})) {
  for (std::size_t i = 0; i < calls_.size(); ++i)
    calls_[i] = counter("libvirt_domain_emulator_syscalls_total",
                        {{"class", ebpf::nameOf(static_cast<ebpf::CallClass>(i))}});
}

EmulatorSeries::HistogramNames EmulatorSeries::histogram(const char* events, const char* seconds,
                                                         const Labels& labels) {
  HistogramNames out{{}, counter(seconds, labels)};
  for (std::size_t i = 0; i < bpf::BUCKETS; ++i) {
    Labels bound = labels;
    bound["up_to_seconds"] = ebpf::boundText(i);
    out.events[i] = counter(events, bound);
  }
  return out;
}

/// Bounds are told from the one below the first that something came near to the last such.
void EmulatorSeries::add(const ebpf::TimeCounts& counts, const HistogramNames& names,
                         std::vector<NamedValue>& out) {
  std::size_t first = bpf::BUCKETS, last = 0;
  for (std::size_t i = 0; i < bpf::BUCKETS; ++i) {
    if (counts.buckets[i] <= 0) continue;
    if (first == bpf::BUCKETS) first = i == 0 ? i : i - 1;
    last = i;
  }
  if (first == bpf::BUCKETS) return;
  double up_to = 0;
  for (std::size_t i = 0; i < bpf::BUCKETS; ++i) {
    up_to += counts.buckets[i];
    if ((i >= first && i <= last) || i + 1 == bpf::BUCKETS)
      out.push_back({names.events[i], std::round(up_to)});
  }
  out.push_back({names.seconds, thousandths(counts.seconds)});
}

const SeriesName* EmulatorSeries::errorName(std::size_t number) {
  if (errors_[number] != nullptr) return errors_[number];
  const bool own = number != 0 && errors_seen_ < kErrors;
  if (own) ++errors_seen_;
  return errors_[number] = counter(
             kErrorMetric,
             {{"errno", own ? ebpf::errorName(static_cast<int>(number)) : std::string("other")}});
}

std::vector<NamedValue> EmulatorSeries::of(const ebpf::GroupCounts& counts) {
  std::vector<NamedValue> out;
  for (std::size_t i = 0; i < calls_.size(); ++i)
    out.push_back({calls_[i], std::round(counts.calls[i])});
  std::map<const SeriesName*, double> errors;
  for (std::size_t i = 0; i < counts.errors.size(); ++i)
    if (counts.errors[i] > 0) errors[errorName(i)] += counts.errors[i];
  for (const auto& [name, count] : errors) out.push_back({name, std::round(count)});
  add(counts.waits, waits_, out);
  add(counts.reads, reads_, out);
  add(counts.writes, writes_, out);
  return out;
}

void EmulatorSeries::addHost(const ebpf::Groups::PartFigures& figures,
                             std::vector<NamedValue>& out) const {
  const Labels part{{"part", figures.part}};
  out.push_back({counter("host_ebpf_cost_seconds_total", part), thousandths(figures.cost_seconds)});
  out.push_back({platform::intern({"host_ebpf_duty_ratio", part, Kind::gauge}),
                 thousandths(figures.open_ratio)});
  if (figures.dropped > 0)
    out.push_back({counter("host_ebpf_dropped_total", part), static_cast<double>(figures.dropped)});
}

}  // namespace virtseer::collect
