#pragma once

#include <filesystem>
#include <string>

namespace virtseer::platform {

/// The identity of a block device, by its node: the same text at every host that has the same
/// device, and nowhere else. Empty: it has none. Blocks.
///
///     naa.6001405...                    a disk or LUN, by what it says of itself
///     naa.6001405...-part2              a partition of it
///     dm-uuid-LVM-...@naa.6001405...    a volume, by its UUID and all devices beneath it: the
///                                       UUIDs of a copy of those are the same
///     rbd/pool/image                    an image of Ceph
///     loop0@BOOT                        a loop device: one for all who share this kernel
std::string blockIdentity(const std::string& node);

/// The same by a device's folder below /sys/devices, or one laid out as it is.
std::string deviceIdentity(const std::filesystem::path& device);

/// The first line of a small file, bounded; empty if there is none.
std::string readLine(const std::string& path);

}  // namespace virtseer::platform
