#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "cli/columns.h"

namespace virtseer::cli {

// As tables.h: text for a person out of the body of an answer on what is foreseen and decided.

/// Bands per resource and horizon with their track record.
Result<std::string> forecastText(std::string_view forecast, std::size_t room = kNoLimit);
/// Verdict, hosts, steps with their reasons, and what would change it.
Result<std::string> planText(std::string_view plan, Timestamp now, std::size_t room = kNoLimit);
/// True if the plan proposes a move.
bool planHasSteps(std::string_view plan);
/// Hosts by score with the score's parts, and why the others are excluded.
Result<std::string> rankingText(std::string_view ranking, std::size_t room = kNoLimit);
Result<std::string> explanationText(std::string_view explanation);
Result<std::string> policyText(std::string_view policy, std::size_t room = kNoLimit);
Result<std::string> maintenanceText(std::string_view answer, std::string_view host);
Result<std::string> automationText(std::string_view automation, Timestamp now);

}  // namespace virtseer::cli
