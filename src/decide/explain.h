#pragma once

#include <string>
#include <vector>

#include "decide/rules.h"
#include "model/plan.h"

namespace virtseer::decide {

/// "71 % likely to run short of CPU in 4 min (up to 98 %)".
std::string words(const Contention& contention);

/// "about 12 s, 120 ms of it down; 2.1 GiB of memory".
std::string words(const MoveCost& cost);

/// Why this VM, this host and now, with numbers; `source` is the host that it leaves.
std::vector<std::string> reasons(const PlanStep& step, const HostOutlook& source,
                                 const PlannerRules& rules);

/// Why a VM has nowhere to go, from what was rejected for it: the first few reasons, and how many
/// more there are.
std::string whyNowhere(const std::vector<Rejection>& all);

/// What would have to be otherwise for a plan to be another one: at most a handful, from what was
/// rejected for a single reason.
std::vector<std::string> counterfactuals(const Plan& plan);

/// The plan in one sentence.
std::string verdict(const Plan& plan);

/// The whole plan for a person, line by line.
std::vector<std::string> explain(const Plan& plan);

/// A ranking for a person, line by line.
std::vector<std::string> explain(const Ranking& ranking);

}  // namespace virtseer::decide
