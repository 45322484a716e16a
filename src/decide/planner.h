#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "decide/rules.h"
#include "model/host_state.h"
#include "model/plan.h"
#include "model/policy.h"
#include "virtseer/uuid.h"

namespace virtseer::decide {

/// For how long contention of a host has been foreseen.
struct Hold {
  std::uint32_t rounds = 0;
  Timestamp since;

  bool operator==(const Hold&) const = default;
};

/// A move that a plan let go and that may not show in the fleet yet.
struct Issued {
  Uuid vm;
  Uuid from;
  Uuid to;
  Timestamp at;

  bool operator==(const Issued&) const = default;
};

/// What the planner remembers from round to round. Never stored: a daemon that starts begins with
/// an empty one, so that nothing counts as held which it has not seen itself. Cool-downs live with
/// the VMs (PlacedVm::moves) and do survive.
struct PlannerState {
  std::uint64_t round = 0;
  std::optional<Timestamp> counted;  ///< the last call that counted as a round
  std::map<Uuid, Hold> holds;        ///< by host
  std::vector<Issued> issued;

  bool operator==(const PlannerState&) const = default;
};

struct Planned {
  PlannerState state;
  Plan plan;
};

/// One round. Looks at every host, proposes at most one move away from each that is foreseen to run
/// short and all moves that empty a host in maintenance, and says for everything else why not. The
/// same input gives the same plan. Modes decide only what is executable, so `observe` names the
/// VM and host that `auto` moves.
///
/// The caller carries out the steps that are `executable`, in order, and nothing else; each step is
/// checked again by whoever carries it out. Over a minute after a step was given out without a
/// sign of it, it is taken as never begun. O(rows * VMs) for the sums, then for each host in
/// trouble a bounded number of VMs times a bounded number of hosts times rows.
Planned plan(PlannerState state, const FleetView& view, const PolicyConfiguration& configuration,
             const PlannerRules& rules, Timestamp now);

/// True if two plans say the same of the same moves and hosts, numbers aside: then the later one
/// need not be kept.
bool sameDecision(const Plan& a, const Plan& b);

}  // namespace virtseer::decide
