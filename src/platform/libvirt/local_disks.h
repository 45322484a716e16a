#pragma once

#include <string>
#include <vector>

#include "platform/libvirt/connection.h"
#include "platform/libvirt/placement_xml.h"

namespace virtseer::platform {

/// The disks of a VM that a move which copies disks copies: writable, not shared with other VMs,
/// and on storage that this host alone sees. Their sizes are left unknown. Looks at files; blocks.
std::vector<DiskCopy> localDisks(const Connection& connection, const PlacementXml& live);

/// The same with sizes, as libvirt tells them of an active domain with this XML. Code::failed if
/// the XML cannot be read. Blocks.
Result<std::vector<DiskCopy>> sizedLocalDisks(const Connection& connection, virDomainPtr domain,
                                              const std::string& live_xml);

}  // namespace virtseer::platform
