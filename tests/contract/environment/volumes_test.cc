#include <filesystem>

#include "contract/environment/pools.h"
#include "contract/environment/worlds.h"

// Files of storage pools, on libvirt's test driver: its pools are made up, the folders are real.

using namespace virtseer;
using namespace virtseer::platform;
using namespace virtseer::platform::contract;
namespace fs = std::filesystem;

TEST_CASE("a file is set aside within its pool's folder, once, and over nothing") {
  const auto world = makeWorld("libvirt-test");
  world->connect();
  auto& actions = world->environment().actions();
  const Folder folder;
  const auto disk = folder.file("disk.raw");
  const auto moved = folder.file("disk.raw.moved-1", false);
  const auto code = [&](const std::string& from, const std::string& to) {
    const auto done = world->await(actions.setAside(from, to));
    return done ? std::string("done") : std::string(name(done.error().code));
  };

  CHECK(code(disk, moved) == "refused");  // no pool yet
  const Pool pool(folder.path());
  CHECK(code(disk, "/tmp/elsewhere.raw") == "invalid");
  CHECK(code(folder.path() + "/../x", folder.path() + "/../y") == "invalid");
  CHECK(code(folder.file("absent", false), moved) == "not_found");
  CHECK(fs::exists(disk));

  CHECK(code(disk, moved) == "done");
  CHECK_FALSE(fs::exists(disk));
  CHECK(fs::exists(moved));
  CHECK(code(disk, moved) == "done");

  const auto again = folder.file("disk.raw");
  CHECK(code(again, moved) == "failed");
  CHECK(fs::exists(again));
  fs::create_symlink(again, folder.path() + "/link");
  CHECK(code(folder.path() + "/link", folder.path() + "/link.moved") == "refused");
  world->stop();
}

TEST_CASE("a file that is in no pool is not deleted") {
  const auto world = makeWorld("libvirt-test");
  world->connect();
  const Folder folder;
  const auto disk = folder.file("disk.raw");
  const auto done = world->await(world->environment().actions().deleteVolume(disk));
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::refused);
  CHECK(fs::exists(disk));
  world->stop();
}

TEST_CASE("a file that anything may need is neither deleted nor set aside") {
  const auto world = makeWorld("libvirt-test");
  world->connect();
  auto& actions = world->environment().actions();
  const Folder folder;
  Pool pool(folder.path());
  const auto disk = folder.file("disk.raw");
  pool.volume("disk.raw");
  const auto deletion = [&] {
    const auto done = world->await(actions.deleteVolume(disk));
    return done ? std::string("done") : done.error().message;
  };
  const auto rename = [&] {
    const auto done = world->await(actions.setAside(disk, disk + ".moved-1"));
    return done ? std::string("done") : done.error().message;
  };
  const auto isRefused = [&](const std::string& who) {
    CHECK_THAT(deletion(), Catch::Contains(who + " needs it"));
    CHECK_THAT(rename(), Catch::Contains(who + " needs it"));
    CHECK(fs::exists(disk));
  };

  SECTION("a volume that is based on it, of no VM") {
    pool.volume("clone.qcow2", disk);
    isRefused("volume " + folder.path() + "/clone.qcow2");
  }
  SECTION("a disk that is based on it, of a VM that is off") {
    const TestVm vm("",
                    diskXml("vda", "/elsewhere/top.qcow2",
                            "<backingStore type='file'><format type='raw'/><source file='" + disk +
                                "'/><backingStore/></backingStore>"),
                    false);
    isRefused("VM virtseer-disks");
  }
  SECTION("a VM that runs on it by another name") {
    fs::create_symlink(folder.path(), folder.path() + "/link");
    const TestVm vm("", diskXml("vda", folder.path() + "/link/disk.raw"));
    isRefused("VM virtseer-disks");
  }
  SECTION("a VM that boots from it") {
    const TestVm vm("<os><type arch='i686'>hvm</type><kernel>" + disk + "</kernel></os>", "");
    isRefused("VM virtseer-disks");
  }
  SECTION("a VM that is off: its disk is not deleted, but may lose its name") {
    const TestVm vm("", diskXml("vda", disk), false);
    CHECK_THAT(deletion(), Catch::Contains("VM virtseer-disks needs it"));
    CHECK(rename() == "done");
  }
  SECTION("words of a tool in a VM's metadata are no need") {
    const TestVm vm("<metadata><x:y xmlns:x='http://example.org/1'>" + disk + "</x:y></metadata>",
                    "");
    CHECK(rename() == "done");
  }
  world->stop();
}

TEST_CASE("a pool's folder may be named by a link, but what is deleted is a file in it") {
  const auto world = makeWorld("libvirt-test");
  world->connect();
  auto& actions = world->environment().actions();
  const Folder real, other;
  const auto link = other.path() + "/pool";
  fs::create_symlink(real.path(), link);
  const auto disk = real.file("disk.raw");
  const Pool pool(link);
  REQUIRE(world->await(actions.setAside(disk, disk + ".moved-1")));
  CHECK(fs::exists(disk + ".moved-1"));

  const auto outside = other.file("outside.raw");
  fs::create_symlink(outside, real.path() + "/way-out.raw");
  for (const auto& path : {link + "/way-out.raw", real.path() + "/../" + outside, outside}) {
    INFO(path);
    CHECK_FALSE(world->await(actions.deleteVolume(path)));
  }
  CHECK(fs::exists(outside));
  world->stop();
}
