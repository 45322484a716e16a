#include "platform/libvirt/block_identity.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <set>

#include "base/text.h"

namespace virtseer::platform {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxIdBytes = 255;
constexpr int kMostLayers = 8;
constexpr std::size_t kMostBeneath = 64;
constexpr std::size_t kWrittenOut = 2;

/// The disks at the bottom of a device, and a partition as such; nullopt: one has no identity, or
/// there are more than are looked at.
std::optional<std::set<std::string>> beneath(const fs::path& device, int layers) {
  std::set<std::string> out;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(device / "slaves", failed)) {
    const auto lower = fs::canonical(entry.path(), failed);
    if (failed || layers == 0) return std::nullopt;
    auto lowest = beneath(lower, layers - 1);
    if (!lowest) return std::nullopt;
    if (lowest->empty()) lowest->insert(deviceIdentity(lower));
    out.merge(*lowest);
    if (out.contains("") || out.size() > kMostBeneath) return std::nullopt;
  }
  return out;
}

/// Many are told by their number and a hash of all (FNV-1a), since an identity is one line.
std::string shortened(const std::set<std::string>& disks) {
  std::string out;
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const auto& disk : disks) {
    out += (out.empty() ? "" : "+") + disk;
    for (const char c : disk + '\n')
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  if (disks.size() <= kWrittenOut && out.size() <= kMaxIdBytes) return out;
  return fmt::format("{}-devices-{:016x}", disks.size(), hash);
}

std::string mappedIdentity(const fs::path& device, const std::string& uuid) {
  const auto disks = beneath(device, kMostLayers);
  if (!disks || disks->empty()) return {};
  return fmt::format("dm-uuid-{}@{}", uuid, shortened(*disks));
}

std::string wholeIdentity(const fs::path& device) {
  const auto named = [&](const char* file) { return readLine((device / file).string()); };
  if (const auto uuid = named("dm/uuid"); !uuid.empty()) return mappedIdentity(device, uuid);
  if (auto id = named("wwid"); !id.empty()) return id;
  if (auto id = named("device/wwid"); !id.empty()) return id;
  if (auto pool = named("device/pool"); !pool.empty())
    return fmt::format("rbd/{}/{}", pool, named("device/name"));
  if (const auto file = named("loop/backing_file"); !file.empty())
    return fmt::format("{}@{}", device.filename().string(),
                       readLine("/proc/sys/kernel/random/boot_id"));
  return {};
}

}  // namespace

std::string readLine(const std::string& path) {
  std::ifstream file(path);
  std::string text(kMaxIdBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  text.erase(std::min(text.find('\n'), text.size()));
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string deviceIdentity(const fs::path& device) {
  std::error_code failed;
  if (!fs::exists(device / "partition", failed)) return toUtf8(wholeIdentity(device));
  const auto whole = wholeIdentity(device.parent_path());
  if (whole.empty()) return {};
  return toUtf8(fmt::format("{}-part{}", whole, readLine((device / "partition").string())));
}

std::string blockIdentity(const std::string& node) {
  struct stat about;
  if (stat(node.c_str(), &about) != 0 || !S_ISBLK(about.st_mode)) return {};
  std::error_code failed;
  const auto device = fs::canonical(
      fmt::format("/sys/dev/block/{}:{}", major(about.st_rdev), minor(about.st_rdev)), failed);
  return failed ? std::string() : deviceIdentity(device);
}

}  // namespace virtseer::platform
