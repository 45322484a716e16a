#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "decide/placement.h"
#include "decide/rules.h"
#include "model/plan.h"
#include "model/policy.h"

namespace virtseer::decide {

/// A move that would help.
struct Candidate {
  std::uint32_t vm = 0;
  std::uint32_t to = 0;
  RankedHost target;
  Contention from_before;
  Contention from_after;
  double relief = 0;  ///< as in PlanStep
  double value = 0;   ///< relief less cost and priority, plus balance
  Policy policy;
  bool shared_disks = false;
};

/// What came of looking for a move away from one host.
struct Choice {
  std::optional<Candidate> best;
  std::vector<Rejection> rejected;  ///< every VM and host that was looked at and not taken
};

/// The one VM of `host` whose move helps most at least cost, and where to: among the VMs that want
/// most (`candidates`) that which takes most of the shortage away, less what the move costs and
/// what the VM's priority weighs, with evenly used hosts preferred. A move that takes away less
/// than `margin` of the shortage, net of what it causes at the target, is none.
Choice chooseForContention(Placement& placement, std::uint32_t host,
                           const PolicyConfiguration& configuration, const PlannerRules& rules,
                           Timestamp now);

/// The best place for one VM of a host that is to be emptied.
Choice chooseForMaintenance(Placement& placement, std::uint32_t vm,
                            const PolicyConfiguration& configuration, const PlannerRules& rules,
                            Timestamp now);

}  // namespace virtseer::decide
