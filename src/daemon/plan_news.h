#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "collect/token_bucket.h"
#include "model/event.h"
#include "model/plan.h"

namespace virtseer::daemon {

/// The events that plans give rise to: `plan.changed` of the host where the decision is another one
/// than before, `plan.step` of the VM where a move has become due. A decision that goes to and fro
/// is told a dozen times at once and then twice a minute; what was left out is counted in the
/// field `untold` of the next one.
class PlanNews {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  /// `changed`: the plan decides otherwise than the one before.
  std::vector<Event> of(const Plan& plan, bool changed, const Uuid& host, Instant now);

 private:
  void tell(std::vector<Event>& out, Event event, collect::TokenBucket& budget,
            std::uint64_t& untold, Instant now);

  bool first_ = true;
  std::set<std::pair<Uuid, Uuid>> due_;  ///< VM and target of the moves that were due
  collect::TokenBucket changes_{1.0 / 30, 12};
  collect::TokenBucket steps_{1.0 / 30, 12};
  std::uint64_t untold_changes_ = 0;
  std::uint64_t untold_steps_ = 0;
};

}  // namespace virtseer::daemon
