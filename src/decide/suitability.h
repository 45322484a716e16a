#pragma once

#include <cstdint>
#include <vector>

#include "decide/placement.h"
#include "decide/rules.h"
#include "model/plan.h"
#include "model/policy.h"

namespace virtseer::decide {

/// One host as a place for one VM: first what excludes it, then its score with the VM there. A
/// host that could run short of CPU with the VM there (`target_limit`) is excluded as well, as
/// advice: a person may send it there. A host without usable information has no score. For the host
/// that the VM is on, the score is that of staying. `shared_disks`: see TargetCheck; may be null.
RankedHost judge(Placement& placement, std::uint32_t vm, std::uint32_t host, const Policy& policy,
                 const PlannerRules& rules, Timestamp now, bool* shared_disks = nullptr);

/// The order of a ranking: those that fit by score, the present host, those that do not; equals by
/// name, then UUID, so that the same question has the same answer everywhere.
bool ranksBefore(const RankedHost& a, const RankedHost& b);

/// All hosts as places for one VM, with why it stays if it must. Code::not_found if no host lists
/// it.
Result<Ranking> rank(const FleetView& view, const PolicyConfiguration& configuration,
                     const PlannerRules& rules, const Uuid& vm, Timestamp now);

}  // namespace virtseer::decide
