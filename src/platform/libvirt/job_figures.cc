#include "platform/libvirt/job_figures.h"

#include <algorithm>
#include <optional>

namespace virtseer::platform {

namespace {

constexpr std::uint64_t kLongestMillis = 1ULL << 40;

std::optional<std::uint64_t> find(std::span<virTypedParameter> values, const char* name) {
  unsigned long long value = 0;
  if (virTypedParamsGetULLong(values.data(), static_cast<int>(values.size()), name, &value) <= 0)
    return std::nullopt;
  return value;
}

std::optional<Millis> findMillis(std::span<virTypedParameter> values, const char* name) {
  const auto value = find(values, name);
  if (!value) return std::nullopt;
  return Millis(std::min<std::uint64_t>(*value, kLongestMillis));
}

}  // namespace

MigrationProgress progressOf(std::span<virTypedParameter> values) {
  MigrationProgress out;
  out.processed_bytes = find(values, VIR_DOMAIN_JOB_DATA_PROCESSED).value_or(0);
  out.remaining_bytes = find(values, VIR_DOMAIN_JOB_DATA_REMAINING).value_or(0);
  out.total_bytes = find(values, VIR_DOMAIN_JOB_DATA_TOTAL).value_or(0);
  out.iteration = find(values, VIR_DOMAIN_JOB_MEMORY_ITERATION).value_or(0);
  out.elapsed = findMillis(values, VIR_DOMAIN_JOB_TIME_ELAPSED).value_or(Millis(0));
  out.downtime = findMillis(values, VIR_DOMAIN_JOB_DOWNTIME);
  // What was sent grows with each round over memory and so says nothing about what is left.
  if (out.total_bytes > 0)
    out.fraction = 1 - std::min(1.0, static_cast<double>(out.remaining_bytes) /
                                         static_cast<double>(out.total_bytes));
  const auto page = find(values, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE);
  if (const auto dirty = find(values, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE); dirty && page)
    out.dirty_bytes_per_s = static_cast<double>(*dirty) * static_cast<double>(*page);
  const auto memory = find(values, VIR_DOMAIN_JOB_MEMORY_BPS);
  const auto disk = find(values, VIR_DOMAIN_JOB_DISK_BPS);
  if (memory || disk)
    out.bytes_per_s =
        static_cast<double>(memory.value_or(0)) + static_cast<double>(disk.value_or(0));
  return out;
}

MigrateEnd figuresOf(std::span<virTypedParameter> values) {
  return {findMillis(values, VIR_DOMAIN_JOB_DOWNTIME),
          findMillis(values, VIR_DOMAIN_JOB_TIME_ELAPSED),
          find(values, VIR_DOMAIN_JOB_DATA_PROCESSED).value_or(0)};
}

int operationOf(std::span<virTypedParameter> values) {
  int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
  virTypedParamsGetInt(values.data(), static_cast<int>(values.size()), VIR_DOMAIN_JOB_OPERATION,
                       &operation);
  return operation;
}

}  // namespace virtseer::platform
