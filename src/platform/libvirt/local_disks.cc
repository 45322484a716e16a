#include "platform/libvirt/local_disks.h"

#include <algorithm>

#include "platform/libvirt/storage_reach.h"
#include "platform/libvirt/survey.h"

namespace virtseer::platform {

namespace {

/// 0 where it is not known: the length of a file in another format than raw says little.
std::uint64_t guestBytes(const Connection& connection, virDomainPtr domain, const DiskXml& disk) {
  virDomainBlockInfo info{};
  if (virDomainGetBlockInfo(domain, disk.target.c_str(), &info, 0) == 0) return info.capacity;
  return disk.driver == "raw" ? sizeOf(resolved(connection, disk).source) : 0;
}

}  // namespace

std::vector<DiskCopy> localDisks(const Connection& connection, const PlacementXml& live) {
  std::vector<DiskCopy> out;
  for (const auto& named : live.disks) {
    if (named.read_only || named.shareable || named.empty) continue;
    const auto disk = resolved(connection, named);
    if (storageOf(disk).shared) continue;
    const bool file = disk.kind == DiskXml::Kind::file && disk.source.starts_with('/');
    // A floppy's medium is seldom its VM's own.
    out.push_back({disk.target, file && !disk.cdrom ? disk.source : std::string(), 0});
  }
  std::ranges::sort(out, {}, &DiskCopy::target);
  return out;
}

Result<std::vector<DiskCopy>> sizedLocalDisks(const Connection& connection, virDomainPtr domain,
                                              const std::string& live_xml) {
  const auto live = parsePlacementXml(live_xml);
  if (!live) return fail(Code::failed, "the VM's XML cannot be read");
  auto out = localDisks(connection, *live);
  for (auto& disk : out) {
    const auto named = std::ranges::find(live->disks, disk.target, &DiskXml::target);
    if (named != live->disks.end()) disk.bytes = guestBytes(connection, domain, *named);
  }
  return out;
}

}  // namespace virtseer::platform
