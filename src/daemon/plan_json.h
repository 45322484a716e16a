#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/plan.h"

namespace virtseer::daemon {

/// A plan as it is kept in the store's settings: all of it but the rejections beyond the first 64,
/// which `rejected_more` counts. Compact JSON, members named as in model/plan.h.
std::string planText(const Plan& plan);

/// Reads it back; corrupt if it is none. What it lacks has its default.
Result<Plan> planFromText(std::string_view text);

}  // namespace virtseer::daemon
