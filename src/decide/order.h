#pragma once

#include <string_view>

#include "base/result.h"
#include "model/plan.h"

namespace virtseer::decide {

/// Where a VM goes that a person wants moved. `wanted`: the host's name or UUID; empty: the best
/// one but the present, which must be better than that, as any is if the present one is in
/// maintenance. Scores count in millionths. not_found: the ranking has no such host; refused: none
/// is better, with the scores or with what excludes each.
Result<RankedHost> destination(const Ranking& ranking, std::string_view wanted);

/// refused: the host tells of the VM itself, which then moves nowhere near it. All else that
/// excludes it for a plan is left to the pre-flight, which knows better.
Result<void> mayGo(const RankedHost& host, std::string_view vm_name);

}  // namespace virtseer::decide
