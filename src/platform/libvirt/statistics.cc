#include <algorithm>

#include "platform/libvirt/bulk.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/reading.h"

namespace virtseer::platform {

namespace {

constexpr unsigned kGroups = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL |
                             VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU |
                             VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;

bool isQemu(const Connection& connection) {
  const char* type = virConnectGetType(connection.get());
  return type && std::string_view(type) == "QEMU";
}

}  // namespace

std::vector<Measured> StatisticsReader::translate(const std::vector<Field>& fields) {
  const std::lock_guard lock(mutex_);
  return translator_.translate(fields);
}

Result<std::vector<VmStatistics>> StatisticsReader::read(const Connection& connection) {
  std::vector<VmStatistics> out;
  const auto bulk =
      BulkStatistics::get(connection, kGroups, VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE);
  if (!bulk && bulk.error().code != Code::unsupported) return fail(bulk.error());
  if (!bulk) {
    const auto domains = listDomains(connection, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (!domains) return fail(domains.error());
    for (const auto& domain : *domains)
      out.push_back({uuidOf(domain.get()), false, translate(basicFields(domain.get()))});
    return out;
  }
  // QEMU's driver leaves out whatever needs the monitor while a job holds the domain. The resident
  // size is among that, and always there otherwise (qemu_driver.c, qemuDomainGetStatsBalloon).
  const bool qemu = isQemu(connection);
  for (const auto* record : bulk->records()) {
    const auto fields = fieldsOf(*record);
    const bool only_state = !findField(fields, "cpu.time") && !findField(fields, "balloon.current");
    VmStatistics vm{uuidOf(record->dom), qemu && !findField(fields, "balloon.rss"), {}};
    vm.values = translate(only_state ? basicFields(record->dom) : fields);
    out.push_back(std::move(vm));
  }
  return out;
}

}  // namespace virtseer::platform
