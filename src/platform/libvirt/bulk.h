#pragma once

#include <libvirt/libvirt.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "platform/libvirt/connection.h"
#include "platform/libvirt/translate.h"

namespace virtseer::platform {

/// libvirt's bulk statistics of many domains. Owns what libvirt returned; fields point into it.
class BulkStatistics {
 public:
  /// Asks for `groups` of the domains that `filter` (flags of virConnectGetAllDomainStats) selects,
  /// leaving out what a busy domain cannot tell at once. Unsupported drivers fail so. Blocks.
  static Result<BulkStatistics> get(const Connection& connection, unsigned groups, unsigned filter);

  /// The same of one domain.
  static Result<BulkStatistics> of(const Connection& connection, virDomainPtr domain,
                                   unsigned groups);

  BulkStatistics(BulkStatistics&& other) noexcept;
  BulkStatistics& operator=(BulkStatistics&&) = delete;
  ~BulkStatistics();

  std::span<const virDomainStatsRecordPtr> records() const { return {records_, count_}; }

 private:
  BulkStatistics(virDomainStatsRecordPtr* records, std::size_t count)
      : records_(records), count_(count) {}

  virDomainStatsRecordPtr* records_;
  std::size_t count_;
};

/// The record's fields; names and texts live as long as the record.
std::vector<Field> fieldsOf(const virDomainStatsRecord& record);

/// What virDomainGetInfo() tells, under the names of the bulk statistics: for drivers without them.
/// Empty if it fails. Blocks.
std::vector<Field> basicFields(virDomainPtr domain);

/// The number of the field with this name.
const double* findField(std::span<const Field> fields, std::string_view name);

/// The domains that `filter` (flags of virConnectListAllDomains) selects. Blocks.
Result<std::vector<DomainPtr>> listDomains(const Connection& connection, unsigned filter);

Uuid uuidOf(virDomainPtr domain);

}  // namespace virtseer::platform
