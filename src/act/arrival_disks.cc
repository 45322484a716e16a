#include "act/arrival_disks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "base/text.h"
#include "decide/words.h"

namespace virtseer::act {
namespace {

constexpr std::size_t kShownBytes = 200;
constexpr std::string_view kBlock = "block:";

/// True if the attribute stands there as libvirt writes it.
bool has(std::string_view element, std::string_view key, std::string_view value) {
  for (const char quote : {'\'', '"'})
    if (element.find(fmt::format(" {}={}{}{}", key, quote, value, quote)) != element.npos)
      return true;
  return false;
}

/// Whether the disk may be written and stands on this host or another, not behind a server that
/// QEMU itself asks.
bool placed(std::string_view disk) {
  const auto head = disk.substr(0, disk.find('>'));
  return !has(head, "device", "cdrom") && !has(head, "device", "floppy") &&
         !has(head, "type", "network") && disk.find("<readonly/>") == disk.npos;
}

/// Such disks in the XML of a domain. What is taken for one too many only refuses.
std::size_t placedDisks(std::string_view xml) {
  constexpr std::string_view kOpen = "<disk ", kClose = "</disk>";
  std::size_t count = 0;
  for (auto at = xml.find(kOpen); at != xml.npos; at = xml.find(kOpen, at)) {
    const auto end = xml.find(kClose, at);
    if (placed(xml.substr(at, end - at))) ++count;
    if (end == xml.npos) break;
    at = end;
  }
  return count;
}

Check missing(const std::string& storage) {
  const std::string_view id(storage);
  if (!id.starts_with(kBlock))
    return {"storage", false,
            fmt::format("{}, which holds a disk of it, is not reached here as shared storage: "
                        "mount the same share here, or let its disks be copied",
                        printable(id.substr(0, kShownBytes)))};
  const auto device = id.substr(kBlock.size());
  if (device.starts_with('/'))
    return {"storage", false,
            fmt::format("nothing proves that {} is the same block device at both hosts: a "
                        "disk that moves needs one with an identity, such as a LUN",
                        printable(device.substr(0, kShownBytes)))};
  return {"storage", false,
          fmt::format("the block device {}, which is a disk of it, is not connected here: a device "
                      "of the same path is another one; connect this one to both hosts",
                      printable(device.substr(0, kShownBytes)))};
}

Check locks(const ReserveOrder& order, const HostState& here) {
  if (here.disk_locks) return {"locks", true, "a lock manager guards its disks at the destination"};
  if (order.unlocked)
    return {"locks", true, "its policy waives a lock manager for its shared disks"};
  return {"locks", false,
          "its disks are shared and no lock manager guards them at the destination: set one up "
          "there, or let its policy waive it (unlocked_disks)"};
}

}  // namespace

std::vector<Check> diskChecks(const ReserveOrder& order, const HostState& here) {
  std::vector<Check> out;
  if (order.storage.empty()) {
    if (placedDisks(order.live_xml) > order.copied.size())
      out.push_back({"storage", false,
                     fmt::format("{} does not say which storage holds the disks that are not "
                                 "copied: run the same version of virtseer there",
                                 decide::label(order.from_name.empty() ? order.from.text()
                                                                       : order.from_name))});
    return out;
  }
  std::set<std::string_view> shared;
  for (const auto& each : here.storage)
    if (each.shared) shared.insert(each.id);
  std::set<std::string_view> told;
  for (const auto& id : order.storage)
    if (!shared.contains(id) && told.insert(id).second) out.push_back(missing(id));
  if (out.empty())
    out.push_back({"storage", true, "the storage of its disks is the same at the destination"});
  if (order.origin != OperationOrigin::person) out.push_back(locks(order, here));
  return out;
}

}  // namespace virtseer::act
