#include <algorithm>
#include <vector>

#include "platform/libvirt/acts.h"
#include "platform/libvirt/errors.h"
#include "platform/libvirt/local_disks.h"
#include "platform/libvirt/placement_xml.h"
#include "platform/libvirt/text_ptr.h"

namespace virtseer::platform {

namespace {

constexpr std::uint64_t kMebibyte = 1024 * 1024;

/// libvirt's typed parameters of a migration.
class Parameters {
 public:
  Parameters() = default;
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  ~Parameters() { virTypedParamsFree(values_, count_); }

  bool add(const char* name, const std::string& text) {
    return virTypedParamsAddString(&values_, &count_, &room_, name, text.c_str()) == 0;
  }
  bool add(const char* name, std::uint64_t number) {
    return virTypedParamsAddULLong(&values_, &count_, &room_, name, number) == 0;
  }
  virTypedParameterPtr values() const { return values_; }
  unsigned count() const { return static_cast<unsigned>(count_); }

 private:
  virTypedParameterPtr values_ = nullptr;
  int count_ = 0;
  int room_ = 0;
};

/// The disks that a move must copy: what the other host cannot see.
Result<std::vector<DiskCopy>> disksToCopy(const Connection& connection, virDomainPtr domain) {
  const Text xml(virDomainGetXMLDesc(domain, 0));
  if (!xml) return fail(lastError("XML", connection.get()));
  const auto needs = parsePlacementXml(xml.get());
  if (!needs) return fail(Code::failed, "the VM's XML cannot be read");
  return localDisks(connection, *needs);
}

unsigned flagsOf(const MigrateOrder& order) {
  unsigned flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_ABORT_ON_ERROR;
  if (order.persistent) flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
  if (order.auto_converge) flags |= VIR_MIGRATE_AUTO_CONVERGE;
  return flags;
}

}  // namespace

Result<void> moveAway(const Connection& connection, const MigrateOrder& order) {
  const auto domain = findDomain(connection, order.vm);
  if (!domain) return fail(domain.error());
  auto flags = flagsOf(order);
  Parameters parameters;
  bool built = true;
  if (order.bandwidth_bytes_per_s > 0)
    built = parameters.add(VIR_MIGRATE_PARAM_BANDWIDTH,
                           std::max<std::uint64_t>(1, order.bandwidth_bytes_per_s / kMebibyte));
  if (order.copy_storage) {
    const auto disks = disksToCopy(connection, domain->get());
    if (!disks) return fail(disks.error());
    // Those that were checked there, and that are set aside here afterwards.
    constexpr auto kSame = [](const DiskCopy& one, const DiskCopy& other) {
      return one.target == other.target && one.path == other.path;
    };
    if (!std::ranges::equal(*disks, order.copied, kSame))
      return fail(Code::refused, "the VM's disks have changed since they were looked at");
    if (!disks->empty()) flags |= VIR_MIGRATE_NON_SHARED_DISK;
    for (const auto& disk : *disks)
      built = built && parameters.add(VIR_MIGRATE_PARAM_MIGRATE_DISKS, disk.target);
  }
  if (!built) return fail(lastError("migrate", connection.get()));
  // QEMU keeps it for the migration that follows; where it is not taken, its own holds.
  if (order.downtime_limit.count() > 0)
    virDomainMigrateSetMaxDowntime(
        domain->get(), static_cast<unsigned long long>(order.downtime_limit.count()), 0);
  if (virDomainMigrateToURI3(domain->get(), order.destination.c_str(), parameters.values(),
                             parameters.count(), flags) < 0)
    return fail(lastError("migrate", connection.get()));
  return {};
}

}  // namespace virtseer::platform
