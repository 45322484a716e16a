#pragma once

#include <optional>

#include "decide/rules.h"
#include "model/host_state.h"
#include "model/plan.h"

namespace virtseer::decide {

/// Why a VM stays where it is, whatever the cause to move it: a person aborted a move of it. After
/// the n-th abort in the cycle window it stays for cooldown * 2^(n-1).
std::optional<Exclusion> aborted(const PlacedVm& vm, const PlannerRules& rules, Timestamp now);

/// Why a VM has to rest, if it has. A VM that was moved n times in the cycle window rests for
/// cooldown * 2^(n-1) after the last of them, whoever moved it; after a failed attempt for as long
/// as a move settles, so that another host can be tried soon.
std::optional<Exclusion> cooling(const PlacedVm& vm, const PlannerRules& rules, Timestamp now);

/// Why a VM may not go to `to`, if it may not: virtseer moved it away from there within the cycle
/// window (so it would run in a circle), or it failed to arrive or to do well there.
std::optional<Exclusion> leftRecently(const PlacedVm& vm, const HostState& to,
                                      const PlannerRules& rules, Timestamp now);

}  // namespace virtseer::decide
