#include "platform/libvirt/storage_reach.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "platform/libvirt/block_identity.h"
#include "platform/libvirt/mounts.h"

namespace virtseer::platform {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFileBytes = 1024 * 1024;
constexpr std::size_t kMaxBlockDevices = 512;

std::vector<Mount> mounts() {
  std::ifstream file("/proc/self/mountinfo");
  std::string text(kMaxFileBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return parseMounts(text);
}

std::uint64_t freeBytes(const std::string& folder) {
  struct statvfs about;
  if (statvfs(folder.c_str(), &about) != 0) return 0;
  return static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
}

}  // namespace

StorageReach storageOfFolder(const std::string& folder) {
  std::error_code failed;
  const auto real = fs::weakly_canonical(folder, failed);
  const auto path = failed ? folder : real.string();
  const Mount* best = nullptr;
  const auto all = mounts();
  for (const auto& mount : all) {
    // Of two at the same place the later one hides the earlier.
    if (isWithin(path, mount.point) && (!best || mount.point.size() >= best->point.size()))
      best = &mount;
  }
  if (auto share = best ? shareId(*best) : std::string(); !share.empty())
    return {std::move(share), true, freeBytes(path)};
  return {toUtf8("dir:" + folder), false, freeBytes(path)};
}

StorageReach storageOf(const DiskXml& disk) {
  switch (disk.kind) {
    case DiskXml::Kind::file: {
      std::error_code failed;
      const fs::path file(disk.source);
      // What a link leads to may be on a storage that others see.
      const auto real = fs::is_symlink(file, failed) ? fs::weakly_canonical(file, failed) : file;
      return storageOfFolder((failed ? file : real).parent_path().string());
    }
    case DiskXml::Kind::block: {
      const auto identity = blockIdentity(disk.source);
      if (identity.empty()) return {toUtf8("block:" + disk.source), false, 0};
      return {"block:" + identity, true, 0};
    }
    case DiskXml::Kind::network:
      return {toUtf8(disk.protocol + ":" + disk.source.substr(0, disk.source.find('/'))), true, 0};
    case DiskXml::Kind::volume:
      return {toUtf8("pool:" + disk.source), false, 0};
    case DiskXml::Kind::other:
      break;
  }
  return {"unknown:" + disk.target, false, 0};
}

std::vector<StorageReach> mountedShares() {
  std::vector<StorageReach> out;
  for (const auto& mount : mounts()) {
    if (auto share = shareId(mount); !share.empty())
      out.push_back({std::move(share), true, freeBytes(mount.point)});
  }
  return out;
}

std::vector<StorageReach> blockDevices() {
  std::vector<StorageReach> out;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/sys/class/block", failed)) {
    if (out.size() >= kMaxBlockDevices) break;
    std::error_code gone;
    const auto device = fs::canonical(entry.path(), gone);
    if (gone) continue;
    const auto identity = deviceIdentity(device);
    if (!identity.empty()) out.push_back({"block:" + identity, true, 0});
  }
  return out;
}

std::uint64_t sizeOf(const std::string& path) {
  struct stat about;
  if (stat(path.c_str(), &about) != 0) return 0;
  if (S_ISREG(about.st_mode)) return static_cast<std::uint64_t>(about.st_size);
  if (!S_ISBLK(about.st_mode)) return 0;
  const auto sectors = readLine(
      fmt::format("/sys/dev/block/{}:{}/size", major(about.st_rdev), minor(about.st_rdev)));
  return std::strtoull(sectors.c_str(), nullptr, 10) * 512;
}

}  // namespace virtseer::platform
