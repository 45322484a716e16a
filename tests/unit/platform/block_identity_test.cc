#include "platform/libvirt/block_identity.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace virtseer::platform;
namespace fs = std::filesystem;

namespace {

/// A folder of devices laid out as in /sys/devices.
class Devices {
 public:
  Devices() { REQUIRE(mkdtemp(root_.data())); }
  ~Devices() { fs::remove_all(root_); }
  Devices(const Devices&) = delete;
  Devices& operator=(const Devices&) = delete;

  fs::path make(const std::string& device, const std::string& file, const std::string& text) {
    const fs::path folder = fs::path(root_) / device;
    fs::create_directories((folder / file).parent_path());
    std::ofstream(folder / file) << text << "\n";
    return folder;
  }
  fs::path disk(const std::string& name, const std::string& wwid) {
    return make(name, "device/wwid", wwid);
  }
  /// A mapped device on others.
  fs::path mapped(const std::string& name, const std::string& uuid,
                  const std::vector<std::string>& on) {
    const auto folder = make(name, "dm/uuid", uuid);
    fs::create_directories(folder / "slaves");
    for (const auto& lower : on)
      fs::create_directory_symlink(fs::path(root_) / lower,
                                   folder / "slaves" / fs::path(lower).filename());
    return folder;
  }

 private:
  std::string root_ = "/tmp/virtseer-devices-XXXXXX";
};

}  // namespace

TEST_CASE("a disk is known by what it says of itself, and its partition by number too") {
  Devices devices;
  const auto disk = devices.disk("sda", "naa.1");
  CHECK(deviceIdentity(disk) == "naa.1");
  CHECK(deviceIdentity(devices.make("sda/sda2", "partition", "2")) == "naa.1-part2");
  CHECK(deviceIdentity(devices.make("nvme0n1", "wwid", "eui.2")) == "eui.2");
  devices.make("rbd0", "device/pool", "vms");
  CHECK(deviceIdentity(devices.make("rbd0", "device/name", "web")) == "rbd/vms/web");
}

TEST_CASE("a disk that says nothing of itself has no identity") {
  Devices devices;
  CHECK(deviceIdentity(devices.make("vda", "size", "8")).empty());
  CHECK(deviceIdentity(devices.make("vda/vda1", "partition", "1")).empty());
}

TEST_CASE("a volume on the same disk is the same, however its host reaches the disk") {
  Devices devices;
  devices.disk("sda", "naa.1");
  devices.disk("sdb", "naa.1");
  devices.mapped("dm-0", "mpath-1", {"sda", "sdb"});
  const auto here = deviceIdentity(devices.mapped("dm-1", "LVM-x", {"dm-0"}));
  CHECK(here == "dm-uuid-LVM-x@naa.1");
  CHECK(deviceIdentity(devices.mapped("dm-2", "LVM-x", {"sda"})) == here);
  CHECK(deviceIdentity(devices.mapped("dm-3", "LVM-y", {"sda"})) != here);
}

TEST_CASE("a volume on a copy of the disk bears the same UUID and is another one") {
  Devices devices;
  devices.disk("sda", "naa.1");
  devices.disk("sdb", "naa.2");
  CHECK(deviceIdentity(devices.mapped("dm-0", "LVM-x", {"sda"})) !=
        deviceIdentity(devices.mapped("dm-1", "LVM-x", {"sdb"})));
}

TEST_CASE("a volume on anything without an identity has none: its UUID may be a copy's") {
  Devices devices;
  devices.disk("sda", "naa.1");
  devices.make("vda", "size", "8");
  CHECK(deviceIdentity(devices.mapped("dm-0", "LVM-x", {"vda"})).empty());
  CHECK(deviceIdentity(devices.mapped("dm-1", "LVM-x", {"sda", "vda"})).empty());
  CHECK(deviceIdentity(devices.mapped("dm-2", "LVM-x", {})).empty());
  // Layers that lead to themselves.
  devices.mapped("dm-3", "LVM-x", {"dm-4"});
  CHECK(deviceIdentity(devices.mapped("dm-4", "LVM-x", {"dm-3"})).empty());
}

TEST_CASE("a volume on many disks is known by all of them") {
  Devices devices;
  std::vector<std::string> names;
  for (int i = 0; i < 9; ++i) {
    names.push_back("sd" + std::to_string(i));
    devices.disk(names.back(), "naa." + std::to_string(i));
  }
  const auto all = deviceIdentity(devices.mapped("dm-0", "LVM-x", names));
  CHECK(all.size() < 255);
  CHECK(all.starts_with("dm-uuid-LVM-x@9-devices-"));
  devices.disk("other", "naa.99");
  names.back() = "other";
  CHECK(deviceIdentity(devices.mapped("dm-1", "LVM-x", names)) != all);
}
