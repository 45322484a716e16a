#pragma once

#include <string>
#include <vector>

#include "model/host_state.h"
#include "platform/libvirt/placement_xml.h"

namespace virtseer::platform {

/// The storage that holds a disk. Its id is the same text on every host that sees the same shared
/// storage:
///
///     dir:/srv/nfs@nas:/export   a file on a file system of the network, by its server and export,
///                                and by where it is mounted, since the VM names its disk by path
///     dir:/var/lib/x             a file on a local one, by its folder
///     block:dm-uuid-LVM-...@...  a block device with an identity: see block_identity.h. It counts
///                                as shared whether or not another host has it: who does says so
///     block:/dev/sdb             a block device without one: local, for all that is known
///     rbd:pool                   a network disk: its protocol and pool
///
/// Looks at the node's files; blocks.
StorageReach storageOf(const DiskXml& disk);

/// File systems of the network that are mounted here.
std::vector<StorageReach> mountedShares();
/// Block devices of this host that have an identity; bounded.
std::vector<StorageReach> blockDevices();
/// The storage of a folder.
StorageReach storageOfFolder(const std::string& folder);

/// Bytes of a file or block device; 0 if it cannot be seen.
std::uint64_t sizeOf(const std::string& path);

}  // namespace virtseer::platform
