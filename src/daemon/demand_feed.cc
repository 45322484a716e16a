#include "daemon/demand_feed.h"

#include <algorithm>

namespace virtseer::daemon {
namespace {

/// The rows in memory are complete for this long.
constexpr Millis kRecent{60'000};

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  if (!a && !b) return std::nullopt;
  return a.value_or(0) + b.value_or(0);
}

}  // namespace

DemandFeed::Seen DemandFeed::read(const store::SeriesStore& series, const Uuid& vm, Timestamp now,
                                  std::vector<Observation>& out) {
  Seen seen;
  auto& one = vms_[vm];
  const StreamId stream{vm, Source::libvirt};
  one.columns.look(series.names(stream));
  if (const auto columns = one.columns.all(); !columns.empty()) {
    const auto since =
        one.cpu.last() ? std::max(*one.cpu.last() + Millis(1), now - kRecent) : now - kRecent;
    for (const auto& reading : joinCpu(series.recent(stream, columns, since))) {
      seen.fresh = true;
      if (const auto demand = one.cpu.take(reading))
        out.push_back({vm, Resource::cpu, demand->time, demand->value});
    }
  }
  if (const auto& delay = one.cpu.delay(); delay && now - delay->time <= window_)
    seen.delay_cores = delay->value;

  const auto usage = usage_.vm(series, vm, now, window_);
  seen.cpu_cores = usage.cpu_cores;
  const auto add = [&](Resource resource, std::optional<double> value) {
    if (value) out.push_back({vm, resource, now, *value});
  };
  add(Resource::memory, usage.memory_used_bytes);
  add(Resource::disk, sum(usage.disk_read_bytes_per_second, usage.disk_write_bytes_per_second));
  add(Resource::network,
      sum(usage.network_receive_bytes_per_second, usage.network_transmit_bytes_per_second));
  return seen;
}

std::optional<double> DemandFeed::ownCpus(const store::SeriesStore& series, const Uuid& host,
                                          Timestamp now, double vms_cores) {
  const auto used = usage_.host(series, host, now, window_).cpu_cores;
  if (!used) return std::nullopt;
  return std::max(0.0, *used - vms_cores);
}

void DemandFeed::adopt(const Uuid& vm, VmCpu cpu) {
  vms_[vm].cpu = std::move(cpu);
}

std::optional<double> DemandFeed::demand(const Uuid& vm, Timestamp now) const {
  const auto found = vms_.find(vm);
  if (found == vms_.end()) return std::nullopt;
  const auto& demand = found->second.cpu.demand();
  if (!demand || now - demand->time > window_) return std::nullopt;
  return demand->value;
}

void DemandFeed::keep(const std::unordered_set<Uuid>& vms) {
  std::erase_if(vms_, [&](const auto& entry) { return !vms.contains(entry.first); });
}

void DemandFeed::forgetColumns() {
  usage_.forget();
  for (auto& [vm, one] : vms_) one.columns = {};
}

}  // namespace virtseer::daemon
