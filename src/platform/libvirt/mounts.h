#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace virtseer::platform {

/// A file system where it is mounted.
struct Mount {
  std::string point;
  std::string root;  ///< the folder of the file system that is mounted; "/": all of it
  std::string type;
  std::string source;

  bool operator==(const Mount&) const = default;
};

/// The lines of /proc/self/mountinfo, as in proc(5).
std::vector<Mount> parseMounts(const std::string& mountinfo);

/// True if `path` is at `point` or below it.
bool isWithin(const std::string& path, const std::string& point);

/// The identity of a file system that other hosts can have mounted too, the same at each that has
/// it at the same place: there a path leads to the same file. Empty: it is of this host alone, for
/// all that is known: a local one, one that this host serves to itself, or one on a block device
/// without an identity. Looks at the block device of a cluster file system; blocks.
std::string shareId(const Mount& mount);

}  // namespace virtseer::platform
