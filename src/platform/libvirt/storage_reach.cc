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
#include <sstream>

#include "base/text.h"

namespace virtseer::platform {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFileBytes = 1024 * 1024;
constexpr std::size_t kMaxIdBytes = 255;
constexpr std::size_t kMaxBlockDevices = 512;

/// File systems that several hosts can have mounted at once.
constexpr std::string_view kSharedTypes[] = {
    "nfs", "nfs4",   "ceph",   "gfs2",           "ocfs2",        "cifs",      "smb3", "gpfs",
    "afs", "lustre", "beegfs", "fuse.glusterfs", "fuse.quobyte", "fuse.ceph", "acfs"};

std::string readText(const std::string& path) {
  std::ifstream file(path);
  std::string text(kMaxFileBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::string readLine(const std::string& path) {
  auto text = readText(path);
  text.erase(std::min(text.find('\n'), text.size()));
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text.substr(0, kMaxIdBytes);
}

/// The kernel writes space, tab, newline and backslash in mountinfo as \ooo.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Mount {
  std::string point;
  std::string type;
  std::string source;
};

std::vector<Mount> mounts() {
  std::vector<Mount> out;
  std::istringstream lines(readText("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    // 36 35 98:0 /root /point options [optional ...] - type source options
    std::istringstream words(line);
    std::string word;
    Mount mount;
    for (int i = 0; i < 5; ++i) words >> word;
    mount.point = unescaped(word);
    while (words >> word && word != "-") {
    }
    words >> mount.type >> word;
    mount.source = unescaped(word);
    if (words) out.push_back(std::move(mount));
  }
  return out;
}

bool isShared(const Mount& mount) {
  return std::ranges::find(kSharedTypes, std::string_view(mount.type)) != std::end(kSharedTypes);
}

bool isWithin(const std::string& path, const std::string& point) {
  return point == "/" || path == point ||
         (path.starts_with(point) && path.size() > point.size() && path[point.size()] == '/');
}

std::string shareId(const Mount& mount) {
  return toUtf8(fmt::format("dir:{}@{}", mount.point, mount.source));
}

std::uint64_t freeBytes(const std::string& folder) {
  struct statvfs about;
  if (statvfs(folder.c_str(), &about) != 0) return 0;
  return static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
}

/// Of a device in /sys/dev/block or below it; empty: it has none.
std::string identityIn(const fs::path& device) {
  const auto named = [&](const char* file) { return readLine((device / file).string()); };
  if (auto id = named("dm/uuid"); !id.empty()) return "dm-uuid-" + id;
  if (auto id = named("wwid"); !id.empty()) return id;
  if (auto id = named("device/wwid"); !id.empty()) return id;
  if (auto pool = named("device/pool"); !pool.empty())
    return fmt::format("rbd/{}/{}", pool, named("device/name"));
  // A loop device is one device for all who share this kernel, and nobody else.
  if (const auto file = named("loop/backing_file"); !file.empty())
    return fmt::format("{}@{}", device.filename().string(),
                       readLine("/proc/sys/kernel/random/boot_id"));
  return {};
}

std::string identityOf(const fs::path& device) {
  std::error_code failed;
  if (!fs::exists(device / "partition", failed)) return identityIn(device);
  const auto whole = identityIn(device.parent_path());
  if (whole.empty()) return {};
  return fmt::format("{}-part{}", whole, readLine((device / "partition").string()));
}

}  // namespace

std::string blockIdentity(const std::string& node) {
  struct stat about;
  if (stat(node.c_str(), &about) != 0 || !S_ISBLK(about.st_mode)) return {};
  std::error_code failed;
  const auto device = fs::canonical(
      fmt::format("/sys/dev/block/{}:{}", major(about.st_rdev), minor(about.st_rdev)), failed);
  if (failed) return {};
  return toUtf8(identityOf(device));
}

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
  if (best && isShared(*best)) return {shareId(*best), true, freeBytes(path)};
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
    if (isShared(mount)) out.push_back({shareId(mount), true, freeBytes(mount.point)});
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
    const auto identity = identityOf(device);
    if (!identity.empty()) out.push_back({toUtf8("block:" + identity), true, 0});
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
