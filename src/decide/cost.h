#pragma once

#include "decide/rules.h"
#include "model/host_state.h"
#include "model/plan.h"

namespace virtseer::decide {

/// What it takes to move `vm` live from `from` to `to`, copying `disk_bytes` of disks first.
///
/// Pre-copy sends all memory once, then again and again what was written meanwhile: round n sends
/// M*(d/b)^n bytes for memory M, dirty rate d and bandwidth b (the slower link), so all rounds
/// together take M/(b-d). It ends when the rest fits into the downtime limit, and never if d >= b.
/// (Clark et al. 2005, "Live Migration of Virtual Machines", 3.)
MoveCost moveCost(const PlacedVm& vm, const HostState& from, const HostState& to,
                  std::uint64_t disk_bytes, const PlannerRules& rules);

}  // namespace virtseer::decide
