#include <libvirt/libvirt.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "contract/environment/worlds.h"

// Files of storage pools, on libvirt's test driver: its pools are made up, the folders are real.

using namespace virtseer;
using namespace virtseer::platform;
using namespace virtseer::platform::contract;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() { REQUIRE(mkdtemp(path_.data())); }
  ~Folder() { fs::remove_all(path_); }
  std::string path() const { return path_; }
  std::string file(const std::string& name, bool make = true) const {
    if (make) std::ofstream(path_ + "/" + name) << name;
    return path_ + "/" + name;
  }

 private:
  std::string path_ = "/tmp/virtseer-pool-XXXXXX";
};

class Pool {
 public:
  explicit Pool(const std::string& folder) : connection_(virConnectOpen("test:///default")) {
    const auto xml = "<pool type='dir'><name>virtseer-volumes</name><target><path>" + folder +
                     "</path></target></pool>";
    pool_ = virStoragePoolCreateXML(connection_, xml.c_str(), 0);
    REQUIRE(pool_);
  }
  ~Pool() {
    virStoragePoolDestroy(pool_);
    virStoragePoolFree(pool_);
    virConnectClose(connection_);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

 private:
  virConnectPtr connection_;
  virStoragePoolPtr pool_;
};

}  // namespace

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

TEST_CASE("the files that a copying move would make are those that are proven not to be here") {
  const auto world = makeWorld("libvirt-test");
  world->connect();
  auto& actions = world->environment().actions();
  const Folder folder;
  const Pool pool(folder.path());
  const auto here = folder.file("here.raw"), none = folder.file("none.raw", false);
  const auto elsewhere = std::string("/nonexistent/virtseer/disk.raw");
  std::string xml =
      "<domain type='test'><name>comes</name>"
      "<uuid>eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee</uuid><devices>";
  char target = 'a';
  for (const auto& path : {here, none, elsewhere})
    xml += "<disk type='file' device='disk'><source file='" + path + "'/><target dev='vd" +
           std::string(1, target++) + "'/></disk>";
  xml += "</devices></domain>";

  const auto copied = world->await(actions.admits(xml, true));
  REQUIRE(copied);
  CHECK(copied->copies == std::vector<std::string>{none});
  const auto moved = world->await(actions.admits(xml, false));
  REQUIRE(moved);
  CHECK(moved->copies.empty());
  world->stop();
}
