#pragma once

#include <string>
#include <vector>

#include "platform/actions.h"
#include "platform/libvirt/connection.h"

namespace virtseer::platform {

// What takes many calls of libvirt and looks at files; all of it blocks, for the pools' threads.
// See platform/actions.h.

Result<std::vector<PlacedVm>> placedVms(const Connection& connection);
Result<HostState> hostMeans(const Connection& connection);
Result<std::vector<Check>> admission(const Connection& connection, const std::string& live_xml,
                                     bool copy_storage);
Result<void> renameInPool(const Connection& connection, const std::string& path,
                          const std::string& new_path);
Result<void> deleteFromPools(const Connection& connection, const std::string& path);

}  // namespace virtseer::platform
