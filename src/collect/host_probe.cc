#include "collect/host_probe.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "collect/cgroup.h"
#include "collect/proc_files.h"

namespace virtseer::collect {
namespace {

constexpr std::array<const char*, 8> kModes{"user",   "nice", "system",  "idle",
                                            "iowait", "irq",  "softirq", "steal"};
constexpr std::array<const char*, 3> kResources{"cpu", "memory", "io"};
/// /proc/stat counts in USER_HZ, which is 100 on every architecture that runs KVM.
constexpr double kTicksPerSecond = 100;

SeriesName gauge(std::string metric) {
  return {std::move(metric), {}, Kind::gauge};
}
SeriesName counter(std::string metric, std::string label, std::string value) {
  return {std::move(metric), {{std::move(label), std::move(value)}}, Kind::counter};
}

struct Names {
  std::array<SeriesName, kModes.size()> modes;
  std::array<SeriesName, kResources.size()> waiting, stalled;
  SeriesName used = counter("host_cpu_seconds_total", "mode", "used");
  SeriesName memory_used = gauge("host_memory_used_bytes");
  SeriesName memory_available = gauge("host_memory_available_bytes");
  SeriesName capacity_cpus = gauge("host_capacity_cpus");
  SeriesName capacity_memory = gauge("host_capacity_memory_bytes");
  SeriesName load1 = gauge("host_load1");

  Names() {
    for (std::size_t i = 0; i < kModes.size(); ++i)
      modes[i] = counter("host_cpu_seconds_total", "mode", kModes[i]);
    for (std::size_t i = 0; i < kResources.size(); ++i) {
      waiting[i] = counter("host_pressure_waiting_seconds_total", "resource", kResources[i]);
      stalled[i] = counter("host_pressure_stalled_seconds_total", "resource", kResources[i]);
    }
  }
};

/// One set for the whole process, so that samples never outlive their names.
const Names& names() {
  static const Names all;
  return all;
}

}  // namespace

struct HostProbe::Machine {
  std::uint32_t cpus = 0;
  std::optional<std::uint64_t> total, available;
};

HostSample HostProbe::sample() const {
  HostSample sample;
  const auto found = machine();
  sample.cpus_online = found.cpus;
  sample.machine_memory_bytes = found.total.value_or(0);
  if (!options_.cgroup.empty() &&
      !Cgroup(options_.root / "sys/fs/cgroup", options_.cgroup).exists())
    sample.faults.push_back("the control group " + options_.cgroup +
                            " does not exist: set host.cgroup to one that does, or leave it empty");
  cpuTime(sample);
  memory(sample, found);
  pressure(sample);
  capacity(sample, found);
  return sample;
}

HostProbe::Machine HostProbe::machine() const {
  Machine out;
  if (const auto online = readText(options_.root / "sys/devices/system/cpu/online"))
    out.cpus = cpusInList(*online).value_or(0);
  if (out.cpus == 0) {
    if (const auto stat = readText(options_.root / "proc/stat")) {
      for (const auto word : words(*stat))
        if (word.size() > 3 && word.starts_with("cpu")) ++out.cpus;
    }
  }
  const auto table = readTable(options_.root / "proc/meminfo");
  const auto bytes = [&](std::string_view key) -> std::optional<std::uint64_t> {
    const auto row = table.find(key);
    return row == table.end() ? std::nullopt : std::optional(row->second * 1024);
  };
  out.total = bytes("MemTotal");
  out.available = bytes("MemAvailable");
  return out;
}

void HostProbe::cpuTime(HostSample& sample) const {
  if (!options_.cgroup.empty()) {
    const Cgroup group(options_.root / "sys/fs/cgroup", options_.cgroup);
    if (const auto used = group.cpuSeconds())
      sample.values.push_back({&names().used, *used});
    else
      sample.missing.push_back("CPU time of the control group " + options_.cgroup);
    return;
  }
  const auto stat = readText(options_.root / "proc/stat");
  const auto fields = stat ? words(std::string_view(*stat).substr(0, stat->find('\n')))
                           : std::vector<std::string_view>{};
  if (fields.empty() || fields[0] != "cpu") {
    sample.missing.push_back("CPU time: /proc/stat");
    return;
  }
  for (std::size_t i = 0; i < kModes.size() && i + 1 < fields.size(); ++i)
    if (const auto ticks = number(fields[i + 1]))
      sample.values.push_back({&names().modes[i], static_cast<double>(*ticks) / kTicksPerSecond});
  const auto load = readText(options_.root / "proc/loadavg");
  const auto parts = load ? words(*load) : std::vector<std::string_view>{};
  double load1 = 0;
  if (!parts.empty() &&
      std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), load1).ec == std::errc())
    sample.values.push_back({&names().load1, load1});
}

void HostProbe::memory(HostSample& sample, const Machine& found) const {
  std::optional<std::uint64_t> used, available = found.available;
  if (options_.cgroup.empty()) {
    if (found.total && available) used = *found.total - std::min(*found.total, *available);
  } else {
    const Cgroup group(options_.root / "sys/fs/cgroup", options_.cgroup);
    used = group.memoryUsed();
    auto limit = group.memoryLimit();
    if (!limit) limit = found.total;
    if (limit && used) {
      const auto left = *limit - std::min(*limit, *used);
      available = available ? std::min(left, *available) : left;
    }
  }
  if (used)
    sample.values.push_back({&names().memory_used, static_cast<double>(*used)});
  else
    sample.missing.push_back("memory in use");
  if (available)
    sample.values.push_back({&names().memory_available, static_cast<double>(*available)});
}

void HostProbe::pressure(HostSample& sample) const {
  bool found = false;
  for (std::size_t i = 0; i < kResources.size(); ++i) {
    const auto text =
        options_.cgroup.empty()
            ? readText(options_.root / "proc/pressure" / kResources[i])
            : Cgroup(options_.root / "sys/fs/cgroup", options_.cgroup).pressure(kResources[i]);
    if (!text) continue;
    found = true;
    if (const auto some = pressureTotal(*text, "some"))
      sample.values.push_back({&names().waiting[i], static_cast<double>(*some) / 1e6});
    if (const auto full = pressureTotal(*text, "full"))
      sample.values.push_back({&names().stalled[i], static_cast<double>(*full) / 1e6});
  }
  if (!found) sample.missing.push_back("pressure: the kernel was built or booted without it");
}

void HostProbe::capacity(HostSample& sample, const Machine& found) const {
  std::string cpus_from = "machine", memory_from = "machine";
  double cpus = found.cpus;
  std::uint64_t memory = found.total.value_or(0);
  if (!options_.cgroup.empty()) {
    const Cgroup group(options_.root / "sys/fs/cgroup", options_.cgroup);
    if (const auto limit = group.cpuLimit(); limit && (cpus == 0 || *limit < cpus)) {
      cpus = *limit;
      cpus_from = "cgroup " + group.path();
    }
    if (const auto limit = group.memoryLimit(); limit && (memory == 0 || *limit < memory)) {
      memory = *limit;
      memory_from = "cgroup " + group.path();
    }
  }
  if (options_.cpus) {
    cpus = *options_.cpus;
    cpus_from = "configuration";
  }
  if (options_.memory_bytes) {
    memory = *options_.memory_bytes;
    memory_from = "configuration";
  }
  auto& out = sample.capacity;
  out.cpus = std::max(0.0, cpus - options_.reserve_cpus);
  out.memory_bytes = memory - std::min(memory, options_.reserve_memory_bytes);
  out.origin =
      cpus_from == memory_from ? cpus_from : "cpus: " + cpus_from + ", memory: " + memory_from;
  if (out.cpus <= 0 && cpus > 0)
    sample.faults.push_back("host.reserve_cpus leaves no core for VMs: make it smaller");
  if (out.memory_bytes == 0 && memory > 0)
    sample.faults.push_back("host.reserve_memory leaves no memory for VMs: make it smaller");
  if (out.cpus > 0) sample.values.push_back({&names().capacity_cpus, out.cpus});
  if (out.memory_bytes > 0)
    sample.values.push_back({&names().capacity_memory, static_cast<double>(out.memory_bytes)});
}

}  // namespace virtseer::collect
