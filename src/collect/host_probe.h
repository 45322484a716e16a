#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collect/stream_writer.h"
#include "model/machine.h"

namespace virtseer::collect {

struct HostProbeOptions {
  std::filesystem::path root = "/";  ///< of /proc and /sys
  std::string cgroup;                ///< path below the cgroup root; empty: the whole machine
  std::optional<double> cpus;        ///< configured; over what is found
  std::optional<std::uint64_t> memory_bytes;
  double reserve_cpus = 0;  ///< kept for the host itself
  std::uint64_t reserve_memory_bytes = 0;
};

/// One look at the host. Values whose source is absent are absent.
struct HostSample {
  std::vector<NamedValue> values;
  HostCapacity capacity;
  std::uint32_t cpus_online = 0;  ///< of the machine
  std::uint64_t machine_memory_bytes = 0;
  std::vector<std::string> missing;  ///< what could not be read, for a person
  std::vector<std::string> faults;   ///< settings that cannot be followed, each with what to do
};

/// Reads what belongs to this host: the whole machine, or the control group that the configuration
/// names. Every source is probed at each look.
///
/// The series, of the machine / of a control group:
/// - host_cpu_seconds_total{mode}: user, nice, system, idle, iowait, irq, softirq, steal of
///   /proc/stat (guest time is in user) / mode="used" alone, since a group has no idle time
/// - host_memory_used_bytes: MemTotal - MemAvailable / usage less inactive file pages
/// - host_memory_available_bytes: MemAvailable / limit - used, at most MemAvailable
/// - host_pressure_waiting_seconds_total{resource}: `some` of /proc/pressure / of its *.pressure
/// - host_pressure_stalled_seconds_total{resource}: `full` of the same
/// - host_load1: /proc/loadavg / absent
/// - host_capacity_cpus, host_capacity_memory_bytes: what there is for VMs, see below
///
/// Used CPU is therefore the sum over all modes but idle, iowait and steal, in both cases.
///
/// Capacity: configuration over control group over machine, less the reserve, never below zero. CPU
/// and memory are decided apart; `origin` names both where they differ: "configuration",
/// "cgroup /PATH", "machine", or "cpus: ..., memory: ...".
///
/// Immutable; sample() may run on any thread and blocks as long as reading some small files takes.
class HostProbe {
 public:
  explicit HostProbe(HostProbeOptions options) : options_(std::move(options)) {}

  HostSample sample() const;

 private:
  struct Machine;
  Machine machine() const;
  void cpuTime(HostSample& sample) const;
  void memory(HostSample& sample, const Machine& machine) const;
  void pressure(HostSample& sample) const;
  void capacity(HostSample& sample, const Machine& machine) const;

  const HostProbeOptions options_;
};

}  // namespace virtseer::collect
