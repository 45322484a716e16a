#include "platform/libvirt/survey.h"

#include "platform/libvirt/placement_xml.h"
#include "platform/libvirt/storage_reach.h"

namespace virtseer::platform {

namespace {
constexpr auto kUnable = "this build cannot";
}

Result<std::vector<PlacedVm>> placedVms(const Connection&) {
  return fail(Code::unsupported, kUnable);
}
Result<HostState> hostMeans(const Connection&) {
  return fail(Code::unsupported, kUnable);
}
Result<std::vector<Check>> admission(const Connection&, const std::string&, bool) {
  return fail(Code::unsupported, kUnable);
}
Result<void> renameInPool(const Connection&, const std::string&, const std::string&) {
  return fail(Code::unsupported, kUnable);
}
Result<void> deleteFromPools(const Connection&, const std::string&) {
  return fail(Code::unsupported, kUnable);
}
std::optional<PlacementXml> parsePlacementXml(std::string_view) {
  return std::nullopt;
}
StorageReach storageOf(const DiskXml&) {
  return {};
}

}  // namespace virtseer::platform
