#include "agent/mounts.h"

#include <sys/statvfs.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tree.h"

namespace virtseer::agent {
namespace {

std::vector<std::string> pointsOf(const std::vector<Mount>& mounts) {
  std::vector<std::string> points;
  for (const Mount& mount : mounts) points.push_back(mount.point);
  return points;
}

constexpr const char* kUsual =
    "21 26 0:20 / /proc rw,relatime - proc proc rw\n"
    "26 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro\n"
    "27 26 0:24 / /run rw,nosuid - tmpfs tmpfs rw\n"
    "28 26 254:1 / /boot ro,relatime shared:5 master:2 - vfat /dev/vda1 ro,fmask=0022\n";

TEST_CASE("file systems of local disks are found, each once, by the shortest path to it") {
  const auto mounts = localMounts(std::string(kUsual) +
                                      "30 26 254:0 /var/lib /srv/bound rw - ext4 /dev/vda rw\n"
                                      "31 26 7:0 / /snap/core ro - squashfs /dev/loop0 ro\n",
                                  32);
  REQUIRE(pointsOf(mounts) == std::vector<std::string>{"/", "/boot"});
  CHECK(mounts[0] == Mount{"/", "ext4", false, false});
  CHECK(mounts[1] == Mount{"/boot", "vfat", true, true});
}

TEST_CASE("what may hang or be changed by being asked is left out, with all below it") {
  const std::string lines =
      "40 26 0:40 / /mnt/nfs rw - nfs4 server:/export rw\n"
      "41 40 254:2 / /mnt/nfs/disk rw - ext4 /dev/vdb rw\n"
      "42 26 254:3 / /mnt/nfs2 rw - xfs /dev/vdc rw\n"
      "43 26 0:41 / /srv/remote rw - fuse.sshfs user@host: rw\n"
      "44 26 0:42 / /data rw - cifs //server/share rw\n"
      "45 26 0:43 / /efi rw - autofs systemd-1 rw,fd=29,direct\n"
      "46 45 254:4 / /efi rw - vfat /dev/vda2 rw\n"
      "47 26 0:44 / /odd rw - notheardof none rw\n"
      "48 47 254:5 / /odd/disk rw - ext4 /dev/vdd rw\n"
      "49 26 8:1 / /media rw - fuseblk /dev/sda1 rw\n";
  CHECK(pointsOf(localMounts(kUsual + lines, 32)) ==
        std::vector<std::string>{"/", "/boot", "/mnt/nfs2"});
}

TEST_CASE("a guest whose root is on the network tells no file system") {
  CHECK(localMounts("26 1 0:19 / / rw - nfs server:/root rw\n"
                    "28 26 254:1 / /data rw - ext4 /dev/vda1 rw\n",
                    32)
            .empty());
}

TEST_CASE("a file system that another one hides is not told by its place") {
  const std::string hidden = "40 26 254:7 / /data rw - ext4 /dev/vdb rw\n";
  CHECK(pointsOf(localMounts(kUsual + hidden + "41 40 0:9 / /data rw - tmpfs tmpfs rw\n", 32)) ==
        std::vector<std::string>{"/", "/boot"});
  const auto mounts = localMounts(kUsual + hidden + "41 40 254:8 / /data rw - xfs d ro\n", 32);
  REQUIRE(mounts.size() == 3);
  CHECK(mounts[1].type == "vfat");
  CHECK(mounts[2] == Mount{"/data", "xfs", false, true});
}

TEST_CASE("blanks in a path are told as blanks") {
  CHECK(pointsOf(localMounts("1 1 8:1 / /my\\040disk\\0 rw - ext4 /dev/sda1 rw\n", 32)) ==
        std::vector<std::string>{"/my disk\\0"});
}

TEST_CASE("lines that are no mounts are stepped over, and a flood of them is bounded") {
  CHECK(localMounts("\n1 2 3\n1 1 8:1 / relative rw - ext4 /dev/sda1 rw\n"
                    "1 1 8:1 / /a rw shared:1 ext4 /dev/sda1 rw\n1 1 8:1 / /b rw -\n - - - - -\n",
                    32)
            .empty());
  std::string flood;
  for (int i = 0; i < 10'000; ++i)
    flood += "1 1 8:" + std::to_string(i) + " / /m" + std::to_string(i) + " rw - ext4 d rw\n";
  CHECK(localMounts(flood, 32).size() == 32);
}

std::string mountLine(int device, const std::string& point, const std::string& options = "rw",
                      const std::string& disk_options = "rw") {
  return "26 1 254:" + std::to_string(device) + " / " + point + " " + options +
         " - ext4 /dev/vda " + disk_options + "\n";
}

TEST_CASE("room and inodes of a file system are told as statvfs gives them") {
  Tree tree;
  tree.write("data/file", "");
  tree.write("proc/self/mountinfo", mountLine(0, "/data"));
  const Reading reading = Reader(makeFilesystemSource(), tree).read();
  struct statvfs status{};
  REQUIRE(::statvfs((tree.root() + "/data").c_str(), &status) == 0);
  const auto unit = static_cast<double>(status.f_frsize);
  CHECK(reading.at("guest_filesystem_size_bytes{mountpoint=/data}") ==
        static_cast<double>(status.f_blocks) * unit);
  // Others write to this file system meanwhile.
  CHECK(reading.at("guest_filesystem_available_bytes{mountpoint=/data}") ==
        Approx(static_cast<double>(status.f_bavail) * unit).epsilon(0.2));
  CHECK(reading.at("guest_filesystem_available_bytes{mountpoint=/data}") <=
        reading.at("guest_filesystem_free_bytes{mountpoint=/data}"));
  CHECK(reading.at("guest_filesystem_read_only{mountpoint=/data}") == 0);
  CHECK(reading.contains("guest_filesystem_inodes{mountpoint=/data}") == (status.f_files > 0));
}

TEST_CASE("a file system that is read-only is told from a view of it that is") {
  Tree tree;
  tree.write("data/file", "");
  tree.write("proc/self/mountinfo", mountLine(0, "/data", "ro,nosuid", "rw"));
  CHECK(Reader(makeFilesystemSource(), tree)
            .read()
            .at("guest_filesystem_read_only{mountpoint=/data}") == 0);
  tree.write("proc/self/mountinfo", mountLine(0, "/data", "ro,nosuid", "ro,errors=remount-ro"));
  CHECK(Reader(makeFilesystemSource(), tree)
            .read()
            .at("guest_filesystem_read_only{mountpoint=/data}") == 1);
}

TEST_CASE("file systems that come and go are noticed within six rounds and keep their columns") {
  Tree tree;
  tree.write("a/file", "");
  tree.write("b/file", "");
  tree.write("proc/self/mountinfo", mountLine(0, "/a"));
  Reader reader(makeFilesystemSource(), tree);
  const auto told = [&](const char* point) {
    const Reading reading = reader.read();
    return reading.contains(std::string("guest_filesystem_size_bytes{mountpoint=") + point + "}");
  };
  CHECK(told("/a"));
  tree.write("proc/self/mountinfo", mountLine(1, "/b"));
  for (int round = 0; round < 5; ++round) told("/b");
  CHECK(told("/b"));
  CHECK_FALSE(told("/a"));
  const std::size_t columns = reader.columns().size();
  tree.write("proc/self/mountinfo", mountLine(0, "/a") + mountLine(1, "/b"));
  for (int round = 0; round < 6; ++round) told("/a");
  CHECK(told("/a"));
  CHECK(reader.columns().size() == columns);
}

TEST_CASE("file systems beyond the thirty-second are not told, which is said") {
  Tree tree;
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    tree.write("m" + std::to_string(i) + "/file", "");
    lines += mountLine(i, "/m" + std::to_string(i));
  }
  tree.write("proc/self/mountinfo", lines);
  Reader reader(makeFilesystemSource(), tree);
  CHECK(reader.read().size() <= 32 * 6);
  CHECK(reader.columns().size() <= 32 * 6);
  CHECK(reader.source().trouble() == "only the first 32 file systems are told");
}

}  // namespace
}  // namespace virtseer::agent
