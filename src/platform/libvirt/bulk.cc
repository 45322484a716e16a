#include "platform/libvirt/bulk.h"

#include <libvirt/virterror.h>

#include <cstdlib>

#include "platform/libvirt/errors.h"

namespace virtseer::platform {

Result<BulkStatistics> BulkStatistics::get(const Connection& connection, unsigned groups,
                                           unsigned filter) {
  virDomainStatsRecordPtr* records = nullptr;
  int count = virConnectGetAllDomainStats(connection.get(), groups, &records,
                                          filter | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
  // Drivers whose domains never wait refuse the flag.
  if (count < 0 && virGetLastErrorCode() == VIR_ERR_INVALID_ARG)
    count = virConnectGetAllDomainStats(connection.get(), groups, &records, filter);
  if (count < 0) return fail(lastError("statistics", connection.get()));
  return BulkStatistics(records, static_cast<std::size_t>(count));
}

Result<BulkStatistics> BulkStatistics::of(const Connection& connection, virDomainPtr domain,
                                          unsigned groups) {
  virDomainPtr one[] = {domain, nullptr};
  virDomainStatsRecordPtr* records = nullptr;
  const int count =
      virDomainListGetStats(one, groups, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
  if (count < 0) return fail(lastError("statistics", connection.get()));
  return BulkStatistics(records, static_cast<std::size_t>(count));
}

BulkStatistics::BulkStatistics(BulkStatistics&& other) noexcept
    : records_(std::exchange(other.records_, nullptr)), count_(std::exchange(other.count_, 0)) {}

BulkStatistics::~BulkStatistics() {
  if (records_) virDomainStatsRecordListFree(records_);
}

std::vector<Field> fieldsOf(const virDomainStatsRecord& record) {
  std::vector<Field> out;
  out.reserve(static_cast<std::size_t>(record.nparams));
  for (const auto& value :
       std::span(record.params, static_cast<std::size_t>(std::max(record.nparams, 0)))) {
    Field field{value.field, 0, {}};
    switch (value.type) {
      case VIR_TYPED_PARAM_INT:
        field.number = value.value.i;
        break;
      case VIR_TYPED_PARAM_UINT:
        field.number = value.value.ui;
        break;
      case VIR_TYPED_PARAM_LLONG:
        field.number = static_cast<double>(value.value.l);
        break;
      case VIR_TYPED_PARAM_ULLONG:
        field.number = static_cast<double>(value.value.ul);
        break;
      case VIR_TYPED_PARAM_DOUBLE:
        field.number = value.value.d;
        break;
      case VIR_TYPED_PARAM_BOOLEAN:
        field.number = value.value.b;
        break;
      case VIR_TYPED_PARAM_STRING:
        field.text = value.value.s;
        break;
      default:
        continue;
    }
    out.push_back(field);
  }
  return out;
}

std::vector<Field> basicFields(virDomainPtr domain) {
  virDomainInfo info;
  if (virDomainGetInfo(domain, &info) < 0) return {};
  return {{"state.state", static_cast<double>(info.state), {}},
          {"cpu.time", static_cast<double>(info.cpuTime), {}},
          {"vcpu.current", static_cast<double>(info.nrVirtCpu), {}},
          {"balloon.current", static_cast<double>(info.memory), {}},
          {"balloon.maximum", static_cast<double>(info.maxMem), {}}};
}

const double* findField(std::span<const Field> fields, std::string_view name) {
  for (const auto& field : fields) {
    if (field.name == name && field.text.empty()) return &field.number;
  }
  return nullptr;
}

Result<std::vector<DomainPtr>> listDomains(const Connection& connection, unsigned filter) {
  virDomainPtr* domains = nullptr;
  const int count = virConnectListAllDomains(connection.get(), &domains, filter);
  if (count < 0) return fail(lastError("list the VMs", connection.get()));
  std::vector<DomainPtr> out;
  out.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) out.emplace_back(domains[i]);
  std::free(domains);
  return out;
}

Uuid uuidOf(virDomainPtr domain) {
  Uuid uuid;
  virDomainGetUUID(domain, uuid.bytes.data());
  return uuid;
}

}  // namespace virtseer::platform
