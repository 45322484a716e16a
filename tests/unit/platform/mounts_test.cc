#include "platform/libvirt/mounts.h"

#include <catch2/catch.hpp>

using namespace virtseer::platform;

namespace {

Mount nfs(std::string source, std::string point = "/srv/vms") {
  return {.point = std::move(point), .root = "/", .type = "nfs4", .source = std::move(source)};
}

}  // namespace

TEST_CASE("the kernel's list of mounts is read, with what it escapes") {
  const auto mounts = parseMounts(
      "36 25 0:30 / /srv/my\\040vms rw,relatime shared:17 - nfs4 nas:/export rw,vers=4.2\n"
      "37 25 8:1 /images /var/lib/images rw - gfs2 /dev/mapper/vg-lv rw\n"
      "nonsense\n");
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0] == nfs("nas:/export", "/srv/my vms"));
  CHECK(mounts[1] == Mount{.point = "/var/lib/images",
                           .root = "/images",
                           .type = "gfs2",
                           .source = "/dev/mapper/vg-lv"});
}

TEST_CASE("a share is known by its server, its export and its place") {
  CHECK(shareId(nfs("nas:/export")) == "dir:/srv/vms@nas:/export");
  CHECK(shareId(nfs("nas:/export")) != shareId(nfs("other:/export")));
  CHECK(shareId(nfs("nas:/export")) != shareId(nfs("nas:/other")));
  // Elsewhere a VM's path would lead to another file, or to none.
  CHECK(shareId(nfs("nas:/export")) != shareId(nfs("nas:/export", "/mnt")));
}

TEST_CASE("only a part of a share that is mounted is not the share") {
  Mount part{.point = "/srv/vms", .root = "/team", .type = "ceph", .source = "10.0.0.1:6789:/"};
  Mount other = part;
  other.root = "/other";
  CHECK(shareId(part) != shareId(other));
  CHECK(shareId(part).starts_with("dir:/srv/vms@10.0.0.1:6789:/"));
}

TEST_CASE("what a host serves to itself is its own: every host has such a one") {
  CHECK(shareId(nfs("localhost:/export")).empty());
  CHECK(shareId(nfs("localhost.localdomain:/export")).empty());
  CHECK(shareId(nfs("127.0.0.1:/export")).empty());
  CHECK(shareId(nfs("[::1]:/export")).empty());
  Mount windows = nfs("//127.0.0.1/share");
  windows.type = "cifs";
  CHECK(shareId(windows).empty());
  CHECK_FALSE(shareId(nfs("localhost2:/export")).empty());
  // Each host names itself as a server of the one volume.
  Mount gluster = nfs("localhost:/volume");
  gluster.type = "fuse.glusterfs";
  CHECK_FALSE(shareId(gluster).empty());
}

TEST_CASE("a cluster file system on a device without an identity is not known to be shared") {
  for (const auto* type : {"gfs2", "ocfs2"}) {
    Mount mount = nfs("/dev/null");
    mount.type = type;
    CHECK(shareId(mount).empty());
    mount.source = "/nonexistent/sdb";
    CHECK(shareId(mount).empty());
  }
}

TEST_CASE("local file systems are of one host") {
  for (const auto* type : {"ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse"}) {
    Mount mount = nfs("/dev/sda1");
    mount.type = type;
    CHECK(shareId(mount).empty());
  }
}
