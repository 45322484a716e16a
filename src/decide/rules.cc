#include "decide/rules.h"

#include <fmt/format.h>

#include <string_view>

namespace virtseer::decide {
namespace {

Result<> share(std::string_view key, double value) {
  if (value >= 0 && value <= 1) return {};
  return fail(Code::invalid, fmt::format("{} is {}: it must lie between 0 and 1", key, value));
}

Result<> positive(std::string_view key, double value) {
  if (value > 0) return {};
  return fail(Code::invalid, fmt::format("{} is {}: it must be above 0", key, value));
}

}  // namespace

Result<> check(const PlannerRules& rules) {
  for (const auto& checked :
       {share("threshold", rules.threshold), share("target_limit", rules.target_limit),
        share("margin", rules.margin), positive("threshold", rules.threshold),
        positive("full", rules.full), positive("link_bytes_per_s", rules.link_bytes_per_s),
        positive("round", static_cast<double>(rules.round.count())),
        positive("cooldown", static_cast<double>(rules.cooldown.count())),
        positive("stale_after", static_cast<double>(rules.stale_after.count())),
        positive("downtime_limit", static_cast<double>(rules.downtime_limit.count())),
        positive("hold_rounds", rules.hold_rounds), positive("candidates", rules.candidates),
        positive("shortlist", rules.shortlist)})
    if (!checked) return checked;
  if (rules.target_limit >= rules.threshold)
    return fail(Code::invalid,
                fmt::format("target_limit {} must be below threshold {}, or moves would cause "
                            "what they are to prevent",
                            rules.target_limit, rules.threshold));
  if (rules.cooldown_longest < rules.cooldown)
    return fail(Code::invalid, "cooldown_longest is shorter than cooldown");
  return {};
}

}  // namespace virtseer::decide
