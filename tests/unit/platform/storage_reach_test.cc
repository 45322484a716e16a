#include "platform/libvirt/storage_reach.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

using namespace virtseer;
using namespace virtseer::platform;

namespace {

DiskXml disk(DiskXml::Kind kind, std::string source, std::string protocol = "") {
  DiskXml out;
  out.kind = kind;
  out.target = "vda";
  out.source = std::move(source);
  out.protocol = std::move(protocol);
  return out;
}

}  // namespace

TEST_CASE("a file on a local file system is this host's alone, and its folder names it") {
  const auto storage = storageOf(disk(DiskXml::Kind::file, "/tmp/disk.raw"));
  CHECK(storage.id == "dir:/tmp");
  CHECK_FALSE(storage.shared);
  CHECK(storage.free_bytes > 0);
}

TEST_CASE("a network disk is shared by its pool") {
  const auto storage = storageOf(disk(DiskXml::Kind::network, "vms/web", "rbd"));
  CHECK(storage == StorageReach{"rbd:vms", true, 0});
}

TEST_CASE("a block device that has no identity, or is none, is held for local") {
  CHECK(storageOf(disk(DiskXml::Kind::block, "/dev/null")) ==
        StorageReach{"block:/dev/null", false, 0});
  CHECK(storageOf(disk(DiskXml::Kind::block, "/nonexistent/b")) ==
        StorageReach{"block:/nonexistent/b", false, 0});
}

TEST_CASE("every block device that is listed as shared has an identity of its own") {
  for (const auto& device : blockDevices()) {
    INFO(device.id);
    CHECK(device.shared);
    CHECK(device.id.starts_with("block:"));
    CHECK(device.id.find("/dev/") == std::string::npos);
  }
}

TEST_CASE("the size of a file is known, that of anything else is none") {
  char path[] = "/tmp/virtseer-size-XXXXXX";
  const int file = mkstemp(path);
  REQUIRE(file >= 0);
  REQUIRE(ftruncate(file, 12345) == 0);
  close(file);
  CHECK(sizeOf(path) == 12345);
  std::filesystem::remove(path);
  CHECK(sizeOf(path) == 0);
  CHECK(sizeOf("/tmp") == 0);
}
