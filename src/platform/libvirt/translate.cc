#include "platform/libvirt/translate.h"

#include <libvirt/libvirt.h>

#include <array>
#include <charconv>
#include <map>

namespace virtseer::platform {

namespace {

constexpr double kNanosecond = 1e-9;
constexpr double kKibibyte = 1024;
constexpr std::size_t kMaxKnown = 65536;
constexpr std::size_t kMaxDeviceBytes = 64;

struct Rule {
  std::string_view field;  ///< without the group and the index
  std::string_view metric;
  double factor;
  Kind kind;
};

constexpr Rule kPlain[] = {
    {"state.state", "libvirt_domain_info_vstate", 1, Kind::gauge},
    {"cpu.time", "libvirt_domain_info_cpu_time_seconds_total", kNanosecond, Kind::counter},
    {"cpu.user", "libvirt_domain_cpu_user_seconds_total", kNanosecond, Kind::counter},
    {"cpu.system", "libvirt_domain_cpu_system_seconds_total", kNanosecond, Kind::counter},
    {"vcpu.current", "libvirt_domain_info_virtual_cpus", 1, Kind::gauge},
    {"balloon.current", "libvirt_domain_info_memory_usage_bytes", kKibibyte, Kind::gauge},
    {"balloon.maximum", "libvirt_domain_info_maximum_memory_bytes", kKibibyte, Kind::gauge},
    {"balloon.rss", "libvirt_domain_memory_stats_rss_bytes", kKibibyte, Kind::gauge},
    {"balloon.available", "libvirt_domain_memory_stats_available_bytes", kKibibyte, Kind::gauge},
    {"balloon.usable", "libvirt_domain_memory_stats_usable_bytes", kKibibyte, Kind::gauge},
    {"balloon.unused", "libvirt_domain_memory_stats_unused_bytes", kKibibyte, Kind::gauge},
    {"balloon.disk_caches", "libvirt_domain_memory_stats_disk_cache_bytes", kKibibyte, Kind::gauge},
    {"balloon.swap_in", "libvirt_domain_memory_stats_swap_in_bytes_total", kKibibyte,
     Kind::counter},
    {"balloon.swap_out", "libvirt_domain_memory_stats_swap_out_bytes_total", kKibibyte,
     Kind::counter},
    {"balloon.minor_fault", "libvirt_domain_memory_stats_minor_fault_total", 1, Kind::counter},
    {"balloon.major_fault", "libvirt_domain_memory_stats_major_fault_total", 1, Kind::counter},
    {"balloon.last-update", "libvirt_domain_memory_stats_last_update_timestamp_seconds", 1,
     Kind::gauge},
};

constexpr Rule kVcpu[] = {
    {"state", "libvirt_domain_vcpu_state", 1, Kind::gauge},
    {"time", "libvirt_domain_vcpu_time_seconds_total", kNanosecond, Kind::counter},
    {"delay", "libvirt_domain_vcpu_delay_seconds_total", kNanosecond, Kind::counter},
    {"wait", "libvirt_domain_vcpu_wait_seconds_total", kNanosecond, Kind::counter},
};

constexpr Rule kBlock[] = {
    {"rd.bytes", "libvirt_domain_block_stats_read_bytes_total", 1, Kind::counter},
    {"wr.bytes", "libvirt_domain_block_stats_write_bytes_total", 1, Kind::counter},
    {"rd.reqs", "libvirt_domain_block_stats_read_requests_total", 1, Kind::counter},
    {"wr.reqs", "libvirt_domain_block_stats_write_requests_total", 1, Kind::counter},
    {"fl.reqs", "libvirt_domain_block_stats_flush_requests_total", 1, Kind::counter},
    {"rd.times", "libvirt_domain_block_stats_read_time_seconds_total", kNanosecond, Kind::counter},
    {"wr.times", "libvirt_domain_block_stats_write_time_seconds_total", kNanosecond, Kind::counter},
    {"fl.times", "libvirt_domain_block_stats_flush_time_seconds_total", kNanosecond, Kind::counter},
    {"allocation", "libvirt_domain_block_stats_allocation_bytes", 1, Kind::gauge},
    {"capacity", "libvirt_domain_block_stats_capacity_bytes", 1, Kind::gauge},
    {"physical", "libvirt_domain_block_stats_physicalsize_bytes", 1, Kind::gauge},
};

constexpr Rule kNet[] = {
    {"rx.bytes", "libvirt_domain_interface_stats_receive_bytes_total", 1, Kind::counter},
    {"rx.pkts", "libvirt_domain_interface_stats_receive_packets_total", 1, Kind::counter},
    {"rx.errs", "libvirt_domain_interface_stats_receive_errors_total", 1, Kind::counter},
    {"rx.drop", "libvirt_domain_interface_stats_receive_drops_total", 1, Kind::counter},
    {"tx.bytes", "libvirt_domain_interface_stats_transmit_bytes_total", 1, Kind::counter},
    {"tx.pkts", "libvirt_domain_interface_stats_transmit_packets_total", 1, Kind::counter},
    {"tx.errs", "libvirt_domain_interface_stats_transmit_errors_total", 1, Kind::counter},
    {"tx.drop", "libvirt_domain_interface_stats_transmit_drops_total", 1, Kind::counter},
};

struct Group {
  std::string_view name;
  std::string_view label;  ///< empty: no device
  std::span<const Rule> rules;
};

constexpr Group kGroups[] = {
    {"", "", kPlain},
    {"vcpu", "vcpu", kVcpu},
    {"block", "target_device", kBlock},
    {"net", "target_device", kNet},
};

/// "block.3.rd.bytes" in its parts; nullopt if it has no index.
struct Indexed {
  std::string_view group;
  std::size_t index;
  std::string_view index_text;
  std::string_view field;
};

std::optional<Indexed> split(std::string_view name) {
  const auto first = name.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = name.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto text = name.substr(first + 1, second - first - 1);
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Indexed{name.substr(0, first), index, text, name.substr(second + 1)};
}

}  // namespace

const Translator::Known* Translator::known(std::string_view group, std::string_view field,
                                           std::string_view device) {
  key_.assign(group).append(1, '\0').append(field).append(1, '\0').append(device);
  if (const auto found = known_.find(key_); found != known_.end()) return &found->second;
  for (const auto& candidate : kGroups) {
    if (candidate.name != group) continue;
    for (const auto& rule : candidate.rules) {
      if (rule.field != field) continue;
      SeriesName name{std::string(rule.metric), {}, rule.kind};
      if (!candidate.label.empty())
        name.labels.emplace(candidate.label, device.substr(0, kMaxDeviceBytes));
      if (known_.size() >= kMaxKnown) known_.clear();
      return &known_.emplace(key_, Known{intern(std::move(name)), rule.factor}).first->second;
    }
  }
  return nullptr;
}

std::vector<Measured> Translator::translate(std::span<const Field> fields) {
  std::map<std::size_t, std::string_view> disks;
  for (const auto& field : fields) {
    if (field.text.empty()) continue;
    const auto indexed = split(field.name);
    if (indexed && indexed->group == "block" && indexed->field == "name")
      disks[indexed->index] = field.text;
  }
  std::vector<Measured> out;
  out.reserve(fields.size());
  std::string device;
  for (const auto& field : fields) {
    if (!field.text.empty()) continue;
    const Known* found = nullptr;
    if (const auto indexed = split(field.name)) {
      if (indexed->index >= kMaxDevices) continue;
      device.assign(indexed->index_text);
      if (indexed->group == "net") device.insert(0, "net");
      if (indexed->group == "block") {
        const auto disk = disks.find(indexed->index);
        if (disk != disks.end()) device.assign(disk->second);
      }
      found = known(indexed->group, indexed->field, device);
    } else {
      found = known("", field.name, "");
    }
    if (found) out.push_back({found->name, field.number * found->factor});
  }
  return out;
}

VmState vmState(int libvirt_state) {
  switch (libvirt_state) {
    case VIR_DOMAIN_BLOCKED:
      return VmState::blocked;
    case VIR_DOMAIN_PAUSED:
      return VmState::paused;
    case VIR_DOMAIN_SHUTDOWN:
      return VmState::shutdown;
    case VIR_DOMAIN_SHUTOFF:
      return VmState::shutoff;
    case VIR_DOMAIN_CRASHED:
      return VmState::crashed;
    case VIR_DOMAIN_PMSUSPENDED:
      return VmState::suspended;
    default:
      return VmState::running;
  }
}

}  // namespace virtseer::platform
