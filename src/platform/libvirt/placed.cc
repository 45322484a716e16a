#include <algorithm>
#include <iterator>

#include "platform/libvirt/bulk.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/job_figures.h"
#include "platform/libvirt/job_values.h"
#include "platform/libvirt/notices.h"
#include "platform/libvirt/storage_reach.h"
#include "platform/libvirt/survey.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace {

/// A command that has held a domain for longer keeps others from asking about it.
constexpr unsigned kBusyMillis = 1000;

std::string words(std::string_view job) {
  std::string out(job);
  std::ranges::replace(out, '_', ' ');
  return out;
}

std::string jobOf(virDomainPtr domain, const PlacementXml& xml) {
  virDomainControlInfo control{};
  if (virDomainGetControlInfo(domain, &control, 0) == 0) {
    if (control.state == VIR_DOMAIN_CONTROL_ERROR) return "its monitor failed";
    if (control.state != VIR_DOMAIN_CONTROL_OK && control.stateTime > kBusyMillis)
      return "a command of libvirt";
  }
  if (const auto job = JobValues::get(domain)) {
    if (job->type != VIR_DOMAIN_JOB_NONE) return words(jobWord(operationOf(job->values())));
  } else if (JobValues::refusedForIncoming()) {
    return "migration in";
  }
  for (const auto& disk : xml.disks) {
    if (!disk.mirror.empty()) return "block " + disk.mirror + " of " + disk.target;
  }
  return {};
}

std::vector<DiskNeed> disksOf(const Connection& connection, const PlacementXml& xml) {
  std::vector<DiskNeed> out;
  for (const auto& named : xml.disks) {
    if (named.empty) continue;
    const auto disk = resolved(connection, named);
    // A medium that is only read is not copied; it has to be there.
    out.push_back({storageOf(disk).id, disk.read_only ? 0 : sizeOf(disk.source)});
  }
  return out;
}

std::vector<std::string> networksOf(const PlacementXml& xml) {
  std::vector<std::string> out;
  for (const auto& interface : xml.interfaces) {
    if (!interface.network.empty()) out.push_back(interface.network);
    if (!interface.bridge.empty()) out.push_back("bridge " + interface.bridge);
    if (!interface.device.empty()) out.push_back("device " + interface.device);
  }
  std::ranges::sort(out);
  const auto twice = std::ranges::unique(out);
  out.erase(twice.begin(), twice.end());
  return out;
}

/// How the guest's processor was asked for: the live XML tells only what came of it.
CpuMode cpuModeOf(virDomainPtr domain, const PlacementXml& live) {
  if (live.cpu_mode != CpuMode::custom || virDomainIsPersistent(domain) != 1) return live.cpu_mode;
  const Text inactive(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE));
  const auto defined = inactive ? parsePlacementXml(inactive.get()) : std::nullopt;
  return defined ? defined->cpu_mode : live.cpu_mode;
}

/// What the guest sees, as far as it can be compared: a feature that this host's list does not have
/// although a guest here runs with it is none.
CpuDescription cpuOf(const Connection& connection, CpuExpander& expander, const PlacementXml& xml,
                     const CpuDescription& host) {
  CpuDescription out = xml.cpu;
  auto expanded = expander.features(connection, xml.virt_type, xml.cpu_xml);
  if (!expanded.empty()) out.features = std::move(expanded);
  if (host.features.empty()) return out;
  std::vector<std::string> known;
  std::ranges::set_intersection(out.features, host.features, std::back_inserter(known));
  out.features = std::move(known);
  return out;
}

std::optional<PlacedVm> placedVm(const Connection& connection, CpuExpander& expander,
                                 virDomainPtr domain, const CpuDescription& host) {
  const Text text(virDomainGetXMLDesc(domain, 0));
  auto xml = text ? parsePlacementXml(text.get()) : std::nullopt;
  int state = 0;
  if (!xml || virDomainGetState(domain, &state, nullptr, 0) < 0) return std::nullopt;
  PlacedVm out;
  out.uuid = uuidOf(domain);
  out.name = xml->name;
  out.role = xml->role;
  out.state = vmState(state);
  out.vcpus = xml->vcpus;
  out.memory_bytes = xml->memory_bytes;
  out.cpu_mode = cpuModeOf(domain, *xml);
  out.cpu = cpuOf(connection, expander, *xml, host);
  out.machine = xml->machine;
  out.disks = disksOf(connection, *xml);
  out.networks = networksOf(*xml);
  out.unmovable = std::move(xml->unmovable);
  if (const int snapshots = virDomainSnapshotNum(domain, 0); snapshots > 0)
    out.unmovable.push_back(std::to_string(snapshots) + " snapshots");
  out.job = jobOf(domain, *xml);
  out.managed_by = std::move(xml->managed_by);
  out.metadata = std::move(xml->policy);
  return out;
}

}  // namespace

Result<std::vector<PlacedVm>> placedVms(const Connection& connection, CpuExpander& expander) {
  const auto domains = listDomains(connection, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  if (!domains) return fail(domains.error());
  const auto host = hostCpu(connection, expander);
  std::vector<PlacedVm> out;
  for (const auto& domain : *domains) {
    // One that ended since the list was made is left out.
    if (auto vm = placedVm(connection, expander, domain.get(), host)) out.push_back(std::move(*vm));
  }
  return out;
}

}  // namespace virtseer::platform
