#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "decide/candidates.h"
#include "decide/placement.h"
#include "decide/planner.h"

namespace virtseer::decide {

/// One round of planning while it is being worked out. `state` has been brought up to this call;
/// `counts` tells whether the call is a round of its own.
class Round {
 public:
  Round(PlannerState state, bool counts, const FleetView& view,
        const PolicyConfiguration& configuration, const PlannerRules& rules, Timestamp now);

  Planned run();

 private:
  /// A host that somebody should leave.
  struct Trouble {
    std::uint32_t host = 0;
    StepCause cause = StepCause::contention;
    bool held = false;  ///< contention has been foreseen for long enough
  };

  void look();
  void hold(std::uint32_t host, HostOutlook& outlook);
  std::vector<Trouble> troubles() const;
  void solve(const Trouble& trouble);
  void empty(std::uint32_t host);
  void share(std::uint32_t host);
  void step(const Trouble& trouble, Candidate& best);
  /// Sets state, executable and what holds the step back.
  void gate(PlanStep& step, const Candidate& best, bool held);
  std::string capped(const PlanStep& step) const;
  std::string notExecutable(const PlanStep& step, const Candidate& best) const;
  void reject(std::vector<Rejection> rejected);

  PlannerState state_;
  const FleetView& view_;
  const PolicyConfiguration& configuration_;
  const PlannerRules& rules_;
  Timestamp now_;
  bool counts_;
  std::unordered_set<Uuid> settling_;  ///< hosts that took part in a move just now
  Placement placement_;
  std::uint32_t this_hour_ = 0;  ///< moves that virtseer began
  Plan plan_;
};

}  // namespace virtseer::decide
