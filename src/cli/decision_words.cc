#include "cli/decision_words.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/units.h"

namespace virtseer::cli {

std::string contentionText(const Json* contention) {
  return contention ? percentText(number(*contention, {"probability"})) : "-";
}

std::string contentionChange(const Json* before, const Json* after) {
  return fmt::format("{} -> {}", contentionText(before), contentionText(after));
}

std::string whenText(const Json* contention) {
  if (!contention) return "-";
  if (truth(*contention, {"already"})) return "now";
  const auto until = number(*contention, {"until_ms"});
  return until ? "in " + millisText(until) : "-";
}

std::string costText(const Json* cost) {
  if (!cost || !cost->is_object()) return "-";
  const auto downtime = number(*cost, {"downtime_ms"});
  std::string out = fmt::format(
      "about {}, {}; {} of memory", millisText(number(*cost, {"duration_ms"})),
      downtime ? millisText(downtime) + " of it down" : "how much of it down is not known",
      bytesText(number(*cost, {"memory_bytes"})));
  if (const auto disk = number(*cost, {"disk_bytes"}); disk && *disk > 0)
    out += fmt::format(", {} of disks", bytesText(disk));
  if (const Json* converges = at(*cost, {"converges"}); converges && *converges == false)
    out += "; it does not converge";
  if (const Json* known = at(*cost, {"dirty_rate_known"}); known && *known == false)
    out += "; how fast it writes its memory is not known";
  return out;
}

std::string wayText(const Json& move) {
  const auto side = [&](const char* field) {
    const std::string name = rawText(move, {field});
    return name.empty() ? std::string("?") : printable(name);
  };
  return fmt::format("{} -> {}", side("from_name"), side("to_name"));
}

}  // namespace virtseer::cli
