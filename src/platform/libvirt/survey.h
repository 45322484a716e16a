#pragma once

#include <string>
#include <vector>

#include "platform/actions.h"
#include "platform/libvirt/connection.h"
#include "platform/libvirt/cpu_expander.h"
#include "platform/libvirt/placement_xml.h"

namespace virtseer::platform {

// What takes many calls of libvirt and looks at files; all of it blocks, for the pools' threads.
// See platform/actions.h.

Result<std::vector<PlacedVm>> placedVms(const Connection& connection, CpuExpander& expander);
Result<HostState> hostMeans(const Connection& connection, CpuExpander& expander);
Result<Admission> admission(const Connection& connection, const std::string& live_xml,
                            const std::vector<DiskCopy>& copied);
Result<void> renameInPool(const Connection& connection, const std::string& path,
                          const std::string& new_path);
Result<void> deleteFromPools(const Connection& connection, const std::string& path);

/// The active storage pools.
std::vector<PoolXml> activePools(const Connection& connection);
/// Whether a pool is a folder, and its volumes files in it.
bool isOfFiles(const PoolXml& pool);
/// A disk that names a volume of a pool, as the file or device that it is here; others as they are.
DiskXml resolved(const Connection& connection, DiskXml disk);
/// What this host can give guests; empty where the driver cannot tell.
CpuDescription hostCpu(const Connection& connection, CpuExpander& expander);

}  // namespace virtseer::platform
