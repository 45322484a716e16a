#include "agent/mounts.h"

#include <algorithm>
#include <array>

#include "agent/scan.h"

namespace virtseer::agent {
namespace {

/// File systems on local disks; their statfs(2) reads counters in memory.
constexpr std::array<std::string_view, 17> kLocal{
    "ext2", "ext3",  "ext4",     "xfs",   "btrfs",  "f2fs",    "bcachefs", "zfs", "jfs",
    "vfat", "exfat", "reiserfs", "ntfs3", "nilfs2", "hfsplus", "ufs",      "udf"};

/// File systems of the kernel's own memory: a path through them never waits for anybody. What is
/// neither here nor in kLocal is taken for one that may.
constexpr std::array<std::string_view, 25> kMemory{
    "tmpfs",   "ramfs",    "devtmpfs",  "proc",    "sysfs",      "cgroup",     "cgroup2",
    "devpts",  "mqueue",   "hugetlbfs", "debugfs", "tracefs",    "securityfs", "configfs",
    "pstore",  "efivarfs", "bpf",       "fusectl", "rpc_pipefs", "overlay",    "squashfs",
    "iso9660", "erofs",    "selinuxfs", "rootfs"};

/// Mounts that are kept in mind at most.
constexpr std::size_t kMaxMounts = 1024;

struct Line {
  std::string_view device;  ///< major:minor
  std::string_view point;   ///< as it stands there; empty: not a line of a mount
  std::string_view options;
  std::string_view type;
  std::string_view source;
  std::string_view file_system_options;
};

template <std::size_t N>
bool isOneOf(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Blanks, line ends and backslashes of a path stand in mountinfo as \ooo.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](std::size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '7';
    };
    if (text[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      plain.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                        (text[i + 3] - '0')));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

/// "36 35 98:0 /root /point options optional... - type source options".
Line parse(std::string_view text) {
  Line line;
  takeWord(text);
  takeWord(text);
  line.device = takeWord(text);
  takeWord(text);
  const std::string_view point = takeWord(text);
  line.options = takeWord(text);
  for (std::string_view word = takeWord(text); word != "-"; word = takeWord(text))
    if (word.empty()) return {};
  line.type = takeWord(text);
  line.source = takeWord(text);
  line.file_system_options = takeWord(text);
  if (!line.type.empty() && point.starts_with('/')) line.point = point;
  return line;
}

bool hasReadOnly(std::string_view options) {
  return options == "ro" || options.starts_with("ro,");
}

bool isAtOrBelow(std::string_view path, std::string_view point) {
  if (point == "/") return true;
  return path.starts_with(point) && (path.size() == point.size() || path[point.size()] == '/');
}

/// Keeps a file system once, by the shortest path to it.
void keep(std::vector<Line>& found, const Line& line) {
  const auto same = std::find_if(found.begin(), found.end(),
                                 [&](const Line& other) { return other.device == line.device; });
  if (same == found.end()) {
    if (found.size() < kMaxMounts) found.push_back(line);
  } else if (line.point.size() < same->point.size()) {
    *same = line;
  }
}

}  // namespace

std::vector<Mount> localMounts(std::string_view mountinfo, std::size_t most) {
  std::vector<Line> found;
  std::vector<std::string_view> risky;
  while (!mountinfo.empty()) {
    const Line line = parse(takeLine(mountinfo));
    if (line.point.empty()) continue;
    // What is mounted later at the same place hides what was there.
    std::erase_if(found, [&](const Line& other) { return other.point == line.point; });
    if (isOneOf(kLocal, line.type)) {
      keep(found, line);
    } else if (!isOneOf(kMemory, line.type)) {
      if (risky.size() >= kMaxMounts) return {};
      risky.push_back(line.point);
    }
  }
  std::erase_if(found, [&](const Line& line) {
    return std::any_of(risky.begin(), risky.end(),
                       [&](std::string_view point) { return isAtOrBelow(line.point, point); });
  });
  std::sort(found.begin(), found.end(), [](const Line& a, const Line& b) {
    return a.point.size() != b.point.size() ? a.point.size() < b.point.size() : a.point < b.point;
  });
  std::vector<Mount> mounts;
  for (const Line& line : found) {
    if (mounts.size() >= most) break;
    mounts.push_back({unescaped(line.point), std::string(line.type), hasReadOnly(line.options),
                      hasReadOnly(line.file_system_options)});
  }
  return mounts;
}

}  // namespace virtseer::agent
