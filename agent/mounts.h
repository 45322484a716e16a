#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace virtseer::agent {

/// A mounted file system that lies on a local disk and can be asked for its room without waiting.
struct Mount {
  std::string point;
  std::string type;
  bool view_read_only = false;  ///< the mount is, whatever the file system is
  bool read_only = false;       ///< the file system is

  bool operator==(const Mount&) const = default;
};

/// The mounts to be asked, from the text of /proc/self/mountinfo (proc(5)), each file system once,
/// at most `most`. Left out is whatever may hang or change by being asked: file systems of the
/// network or of a program (NFS, CIFS, FUSE, 9p ...), automounts, and all that is mounted below
/// them; also images, which are always full.
std::vector<Mount> localMounts(std::string_view mountinfo, std::size_t most);

}  // namespace virtseer::agent
