#include "platform/libvirt/disk_locks.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace virtseer::platform;
namespace fs = std::filesystem;

namespace {

/// The folder of a libvirt's configuration.
class Folder {
 public:
  Folder() { REQUIRE(mkdtemp(path_.data())); }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  Folder& write(const std::string& name, const std::string& text) {
    std::ofstream(path_ + "/" + name) << text;
    return *this;
  }
  bool locks() const { return takesLeases(path_); }

 private:
  std::string path_ = "/tmp/virtseer-locks-XXXXXX";
};

}  // namespace

TEST_CASE("without a lock manager in libvirt's configuration no disk is guarded") {
  Folder folder;
  CHECK_FALSE(folder.locks());
  CHECK_FALSE(folder.write("qemu.conf", "# lock_manager = \"lockd\"\n").locks());
  CHECK_FALSE(folder.write("qemu.conf", "#lock_manager = \"lockd\"\n").locks());
  CHECK_FALSE(folder.write("qemu.conf", "lock_manager = \"nop\"\n").locks());
  CHECK_FALSE(folder.write("qemu.conf", "my_lock_manager = \"lockd\"\n").locks());
  CHECK_FALSE(folder.write("qemu.conf", "lock_manager = \"lockd").write("qemu.conf", "").locks());
}

TEST_CASE("virtlockd guards disks unless it takes no leases by itself") {
  Folder folder;
  CHECK(folder.write("qemu.conf", "user = \"root\"\n  lock_manager=\"lockd\" # ours\n").locks());
  CHECK(folder.write("qemu.conf", "lock_manager = 'lockd'\n").locks());
  CHECK(folder.write("qemu-lockd.conf", "#auto_disk_leases = 0\n").locks());
  CHECK(folder.write("qemu-lockd.conf", "auto_disk_leases = 1\n").locks());
  CHECK_FALSE(folder.write("qemu-lockd.conf", "auto_disk_leases = 0\n").locks());
}

TEST_CASE("sanlock guards disks only if it takes leases by itself") {
  Folder folder;
  CHECK_FALSE(folder.write("qemu.conf", "lock_manager = \"sanlock\"\n").locks());
  CHECK(folder.write("qemu-sanlock.conf", "auto_disk_leases = 1\n").locks());
  CHECK_FALSE(folder.write("qemu-sanlock.conf", "auto_disk_leases = 0\n").locks());
}

TEST_CASE("libvirt takes the first of two lines, and so does what reads its configuration") {
  Folder folder;
  CHECK_FALSE(
      folder.write("qemu.conf", "lock_manager = \"nop\"\nlock_manager = \"lockd\"\n").locks());
}

TEST_CASE("only the system's own QEMU driver has its configuration where it is looked for") {
  CHECK(driverFolder("qemu:///system") == fs::path("/etc/libvirt"));
  CHECK(driverFolder("qemu+unix:///system") == fs::path("/etc/libvirt"));
  for (const auto* other :
       {"qemu:///session", "test:///default", "qemu+tls://b/system", "lxc:///",
        "qemu+unix:///system?socket=/run/other/libvirt-sock", "qemu:///embed?root=/tmp"}) {
    INFO(other);
    CHECK_FALSE(driverFolder(other));
  }
}
