#pragma once

#include <vector>

#include "base/result.h"
#include "model/hand_over.h"
#include "model/host_state.h"

namespace virtseer::act {

/// Most storages that a source may name.
inline constexpr std::size_t kMostStorages = 1'024;

/// What this host must have of the disks that are not copied, beside their paths: the same storage
/// behind it, and for what nobody ordered a guard over it. A source that names no storage though
/// its VM has such disks is refused. Pure.
std::vector<Check> diskChecks(const ReserveOrder& order, const HostState& here);

}  // namespace virtseer::act
