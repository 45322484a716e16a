#include "platform/libvirt/mounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "base/text.h"
#include "platform/libvirt/block_identity.h"

namespace virtseer::platform {

namespace {

/// File systems that several hosts can have mounted at once, each by the same name.
constexpr std::string_view kSharedTypes[] = {
    "nfs",    "nfs4",   "ceph",           "cifs",         "smb3",      "gpfs", "afs",
    "lustre", "beegfs", "fuse.glusterfs", "fuse.quobyte", "fuse.ceph", "acfs"};
/// Those that lie on a block device, which each host may call by another name.
constexpr std::string_view kClusterTypes[] = {"gfs2", "ocfs2"};
/// Those whose source names a server before a path.
constexpr std::string_view kServedTypes[] = {"nfs", "nfs4", "cifs", "smb3"};

template <class List>
bool isAmong(const List& list, std::string_view type) {
  return std::ranges::find(list, type) != std::end(list);
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

/// "localhost:/export", "[::1]:/export", "//127.0.0.1/share": each host means itself.
bool isOwnServer(std::string_view source) {
  while (source.starts_with('/') || source.starts_with('[')) source.remove_prefix(1);
  const auto is = [&](std::string_view name) {
    if (!source.starts_with(name)) return false;
    const auto rest = source.substr(name.size());
    return rest.empty() || rest[0] == ':' || rest[0] == '/' || rest[0] == ']' || rest[0] == '.';
  };
  return is("localhost") || is("::1") || source.starts_with("127.");
}

}  // namespace

std::vector<Mount> parseMounts(const std::string& mountinfo) {
  std::vector<Mount> out;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    // 36 35 98:0 /root /point options [optional ...] - type source options
    std::istringstream words(line);
    std::string word;
    Mount mount;
    for (int i = 0; i < 4; ++i) words >> word;
    mount.root = unescaped(word);
    words >> word;
    mount.point = unescaped(word);
    while (words >> word && word != "-") {
    }
    words >> mount.type >> word;
    mount.source = unescaped(word);
    if (words) out.push_back(std::move(mount));
  }
  return out;
}

bool isWithin(const std::string& path, const std::string& point) {
  return point == "/" || path == point ||
         (path.starts_with(point) && path.size() > point.size() && path[point.size()] == '/');
}

std::string shareId(const Mount& mount) {
  std::string source = mount.source;
  if (isAmong(kClusterTypes, mount.type)) {
    source = blockIdentity(mount.source);
    if (source.empty()) return {};
  } else if (!isAmong(kSharedTypes, mount.type)) {
    return {};
  }
  if (isAmong(kServedTypes, mount.type) && isOwnServer(source)) return {};
  return toUtf8(
      fmt::format("dir:{}@{}{}", mount.point, source, mount.root == "/" ? "" : "#" + mount.root));
}

}  // namespace virtseer::platform
