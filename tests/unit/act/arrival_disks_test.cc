#include "act/arrival_disks.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace virtseer::act {
namespace {

const std::string kDisk =
    "<disk type='file' device='disk'><source file='/shares/web.img'/><target dev='vda'/></disk>";
const std::string kMedium =
    "<disk type='file' device='cdrom'><source file='/iso/a.iso'/><readonly/></disk>";

ReserveOrder order(std::vector<std::string> storage, std::string disks = kDisk) {
  ReserveOrder out;
  out.from_name = "a";
  out.live_xml = "<domain><devices>" + disks + "</devices></domain>";
  out.storage = std::move(storage);
  return out;
}

HostState host(bool locks = false) {
  HostState out;
  out.storage = {{.id = "nfs4:one:/vms", .shared = true},
                 {.id = "block:wwid-1", .shared = true},
                 {.id = "dir:/var/lib/images", .shared = false}};
  out.disk_locks = locks;
  return out;
}

std::size_t refusals(const std::vector<Check>& checks, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::count_if(
      checks, [&](const Check& check) { return check.name == name && !check.held; }));
}

bool held(const std::vector<Check>& checks) {
  return std::ranges::all_of(checks, &Check::held);
}

}  // namespace

TEST_CASE("a disk that is not copied must be on the same storage at the destination") {
  CHECK(held(diskChecks(order({"nfs4:one:/vms"}), host())));
  CHECK(held(diskChecks(order({"block:wwid-1", "nfs4:one:/vms"}), host())));

  // Of the same path perhaps, but of another server, or another device.
  for (const auto* other : {"nfs4:two:/vms", "block:dm-uuid-LVM-a", "block:/dev/vg/web"}) {
    const auto checks = diskChecks(order({"nfs4:one:/vms", other, other}), host());
    INFO(other);
    REQUIRE(refusals(checks, "storage") == 1);
    CHECK(checks.front().words.find(std::string(other).substr(6)) != std::string::npos);
  }
}

TEST_CASE("a storage of one host alone is never the same, whatever it is called") {
  CHECK(refusals(diskChecks(order({"dir:/var/lib/images"}), host()), "storage") == 1);
}

TEST_CASE("a source that names no storage may only send what is copied or only read") {
  CHECK(refusals(diskChecks(order({}), host()), "storage") == 1);
  CHECK(refusals(diskChecks(order({}, "<disk device=\"lun\" type=\"block\"/>"), host()),
                 "storage") == 1);

  auto copied = order({});
  copied.copied = {{"vda", "/shares/web.img", 1}};
  CHECK(diskChecks(copied, host()).empty());
  copied.live_xml += kDisk;
  CHECK(refusals(diskChecks(copied, host()), "storage") == 1);

  CHECK(diskChecks(order({}, ""), host()).empty());
  CHECK(diskChecks(order({}, kMedium), host()).empty());
  CHECK(
      diskChecks(order({}, "<disk type='network' device='disk'><source/></disk>"), host()).empty());
}

TEST_CASE("what virtseer moves by itself on shared disks needs a guard over them, or a waiver") {
  auto asked = order({"nfs4:one:/vms"});
  for (const auto origin : {OperationOrigin::plan, OperationOrigin::returning}) {
    asked.origin = origin;
    asked.unlocked = false;
    CHECK(refusals(diskChecks(asked, host()), "locks") == 1);
    CHECK(held(diskChecks(asked, host(true))));
    asked.unlocked = true;
    CHECK(held(diskChecks(asked, host())));
    auto copied = asked;
    copied.unlocked = false;
    copied.storage.clear();
    copied.copied = {{"vda", "/shares/web.img", 1}};
    CHECK(held(diskChecks(copied, host())));
  }
  asked.origin = OperationOrigin::person;
  asked.unlocked = false;
  CHECK(held(diskChecks(asked, host())));
}

}  // namespace virtseer::act
