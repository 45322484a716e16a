#include "base/text.h"
#include "platform/libvirt/bulk.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/reading.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace {

constexpr std::size_t kMaxNameBytes = 255;

Result<std::set<Uuid>> uuidsOf(const Connection& connection, unsigned filter) {
  const auto domains = listDomains(connection, filter);
  if (!domains) return fail(domains.error());
  std::set<Uuid> out;
  for (const auto& domain : *domains) out.insert(uuidOf(domain.get()));
  return out;
}

/// libvirt's number of a running domain, -1 for one that does not run.
int numberOf(virDomainPtr domain) {
  return static_cast<int>(virDomainGetID(domain));
}

std::optional<DomainFacts> factsOf(virDomainPtr domain, FactsCache& cache) {
  const auto uuid = uuidOf(domain);
  const int number = numberOf(domain);
  if (auto cached = cache.find(uuid, number)) return cached;
  const auto ticket = cache.ticket();
  const Text xml(virDomainGetXMLDesc(domain, 0));
  if (!xml) return std::nullopt;
  const auto facts = parseDomainXml(xml.get());
  if (facts) cache.store(uuid, number, *facts, ticket);
  return facts;
}

std::optional<std::uint64_t> bytesOf(std::span<const Field> fields, std::string_view name) {
  const double* kibibytes = findField(fields, name);
  if (!kibibytes) return std::nullopt;
  return static_cast<std::uint64_t>(*kibibytes) * 1024;
}

std::optional<std::uint32_t> countOf(std::span<const Field> fields, std::string_view name) {
  const double* number = findField(fields, name);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

/// What changes all the time comes from the statistics, the rest from the XML.
void fill(Vm& vm, std::span<const Field> fields, const std::optional<DomainFacts>& facts) {
  if (const auto state = countOf(fields, "state.state"))
    vm.state = vmState(static_cast<int>(*state));
  vm.vcpus = countOf(fields, "vcpu.current");
  vm.vcpus_maximum = countOf(fields, "vcpu.maximum");
  vm.memory_bytes = bytesOf(fields, "balloon.current");
  vm.memory_maximum_bytes = bytesOf(fields, "balloon.maximum");
  if (!facts) return;
  vm.role = facts->role;
  vm.has_channel = facts->has_channel;
  vm.balloon_period_s = facts->balloon_period_s;
  vm.has_guest_agent = facts->has_guest_agent;
  vm.emulated = facts->emulated;
  if (!vm.vcpus) vm.vcpus = facts->vcpus;
  if (!vm.vcpus_maximum) vm.vcpus_maximum = facts->vcpus_maximum;
  if (!vm.memory_bytes) vm.memory_bytes = facts->memory_bytes;
  if (!vm.memory_maximum_bytes) vm.memory_maximum_bytes = facts->memory_maximum_bytes;
}

}  // namespace

Result<std::vector<Vm>> listVms(const Connection& connection, const std::string& uri,
                                FactsCache& cache) {
  const auto domains = listDomains(connection, 0);
  if (!domains) return fail(domains.error());
  const auto persistent = uuidsOf(connection, VIR_CONNECT_LIST_DOMAINS_PERSISTENT);
  if (!persistent) return fail(persistent.error());
  const auto autostart = uuidsOf(connection, VIR_CONNECT_LIST_DOMAINS_AUTOSTART);
  if (!autostart) return fail(autostart.error());
  const auto bulk = BulkStatistics::get(
      connection, VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_BALLOON, 0);
  std::map<Uuid, std::vector<Field>> statistics;
  if (bulk) {
    for (const auto* record : bulk->records()) statistics[uuidOf(record->dom)] = fieldsOf(*record);
  }
  std::vector<Vm> out;
  std::set<Uuid> present;
  for (const auto& domain : *domains) {
    Vm vm;
    vm.uuid = uuidOf(domain.get());
    vm.name = toUtf8(virDomainGetName(domain.get())).substr(0, kMaxNameBytes);
    vm.environment = uri;
    vm.persistent = persistent->contains(vm.uuid);
    vm.autostart = autostart->contains(vm.uuid);
    auto fields = std::move(statistics[vm.uuid]);
    if (!findField(fields, "balloon.current")) fields = basicFields(domain.get());
    const auto facts = factsOf(domain.get(), cache);
    // Gone between the list and the question.
    if (fields.empty() && !facts) continue;
    fill(vm, fields, facts);
    present.insert(vm.uuid);
    out.push_back(std::move(vm));
  }
  cache.retain(present);
  return out;
}

Result<HostFacts> readHostFacts(const Connection& connection) {
  const auto host = connection.get();
  HostFacts facts;
  const Text xml(virConnectGetCapabilities(host));
  if (!xml) return fail(lastError("capabilities", host));
  const auto capabilities = parseCapabilitiesXml(xml.get()).value_or(CapabilityFacts{});
  facts.uuid = capabilities.uuid.value_or(Uuid{});
  facts.cpu_model = toUtf8(capabilities.cpu_model);
  if (const Text name{virConnectGetHostname(host)}) facts.name = toUtf8(name.get());

  facts.memory_bytes = capabilities.memory_bytes;
  facts.kvm = capabilities.kvm;
  int count = 0;
  if (virNodeGetMemoryStats(host, VIR_NODE_MEMORY_STATS_ALL_CELLS, nullptr, &count, 0) == 0 &&
      count > 0) {
    std::vector<virNodeMemoryStats> values(static_cast<std::size_t>(count));
    if (virNodeGetMemoryStats(host, VIR_NODE_MEMORY_STATS_ALL_CELLS, values.data(), &count, 0) ==
        0) {
      for (const auto& value : values) {
        if (std::string_view(value.field) == VIR_NODE_MEMORY_STATS_TOTAL)
          facts.memory_bytes = value.value * 1024;
      }
    }
  }
  facts.cpus_online = capabilities.cpus;
  unsigned online = 0;
  if (virNodeGetCPUMap(host, nullptr, &online, 0) > 0 && online > 0) facts.cpus_online = online;

  const auto version = [](unsigned long number) {
    return std::to_string(number / 1000000) + "." + std::to_string(number / 1000 % 1000) + "." +
           std::to_string(number % 1000);
  };
  unsigned long number = 0;
  if (virConnectGetLibVersion(host, &number) == 0) facts.library_version = version(number);
  const char* type = virConnectGetType(host);
  if (virConnectGetVersion(host, &number) == 0 && type)
    facts.hypervisor_version = std::string(type) + " " + version(number);
  return facts;
}

Capabilities probeCapabilities(const Connection& connection, bool notices) {
  const char* type = virConnectGetType(connection.get());
  const std::string_view driver = type ? type : "";
  // libvirt has no way to ask: both calls exist everywhere and fail only when used.
  return {driver == "QEMU" || driver == "Xen" || driver == "BHYVE", driver == "QEMU", notices};
}

}  // namespace virtseer::platform
