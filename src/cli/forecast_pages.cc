#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli/body.h"
#include "cli/decision_tables.h"
#include "cli/page.h"
#include "cli/units.h"
#include "daemon/config_size.h"

namespace virtseer::cli {
namespace {

std::string horizonText(const Json& item) {
  const auto ms = number(item, {"horizon_ms"});
  return ms && *ms >= 0 && *ms < 1e15 ? durationText(Millis(static_cast<std::int64_t>(*ms))) : "-";
}

std::string demandText(const std::string& unit, std::optional<double> demand) {
  if (unit == "cores") return coresText(demand);
  if (unit == "bytes") return bytesText(demand);
  return unit == "bytes_per_second" ? bytesPerSecondText(demand) : numberText(demand);
}

/// Whose outcomes the band rests on, and how many.
std::string basisText(const Json& outlook) {
  const std::string calibration = rawText(outlook, {"calibration"});
  const std::string outcomes = countText(number(outlook, {"outcomes"}));
  if (calibration == "own") return "own " + outcomes;
  if (calibration == "pooled") return "pooled " + outcomes;
  return calibration == "none" ? "none" : shownText(outlook, {"calibration"});
}

std::string recordText(const Json& item, const char* target) {
  const auto held = number(item, {"record", target, "recent", "held"}),
             of = number(item, {"record", target, "recent", "of"});
  if (!held || !of || *of <= 0) return "none scored yet";
  return fmt::format("{} of the last {}", countText(held), countText(of));
}

/// What speaks against a band's promise; empty: nothing does. Three and a half standard deviations
/// below what is promised: outcomes of horizons that overlap are alike, so less may be chance.
std::string brokenText(const Json& item, const char* target, const char* word) {
  constexpr double kPromised = 0.95, kFewest = 30, kFar = 3.5;
  const auto held = number(item, {"record", target, "recent", "held"}),
             of = number(item, {"record", target, "recent", "of"});
  if (!held || !of || *of < kFewest) return "";
  if (*held >= kPromised * *of - kFar * std::sqrt(*of * kPromised * (1 - kPromised))) return "";
  return fmt::format(
      "{} within {}, {}: the band held {} times, less often than the 95 % that it promises",
      rawText(item, {"resource"}), horizonText(item), word, recordText(item, target));
}

void addTarget(Columns& table, const Json& item, const char* target, const char* word) {
  const Json* outlook = at(item, {target});
  if (!outlook) return;
  const std::string unit = rawText(item, {"unit"});
  const auto below = [&](const char* quantile) {
    return demandText(unit, number(*outlook, {quantile}));
  };
  table.add({shownText(item, {"resource"}), horizonText(item), word, below("p50"), below("p80"),
             below("p95"), below("p99"), basisText(*outlook), recordText(item, target)});
}

}  // namespace

Result<std::string> forecastText(std::string_view body, std::size_t room) {
  const auto whole = parseObject(body);
  const auto items = parseItems(body);
  if (!items) return fail(items.error());
  const std::string vm = shownText(*whole, {"vm_name"});
  const auto missing = texts(*whole, {"missing"});
  if (items->empty()) {
    Page page(vm + ": nothing is foreseen yet");
    page.list("not foreseen", missing);
    return page.take();
  }
  std::string made;  // RFC 3339 in UTC sorts as time does
  for (const Json& item : *items) made = std::max(made, rawText(item, {"made"}));
  Columns table({{"RESOURCE"},
                 {"WITHIN", Align::right},
                 {"OF"},
                 {"50 %", Align::right},
                 {"80 %", Align::right},
                 {"95 %", Align::right},
                 {"99 %", Align::right},
                 {"BAND FROM"},
                 {"HELD"}});
  std::vector<std::string> notes;
  for (const Json& item : *items) {
    addTarget(table, item, "level", "mean");
    addTarget(table, item, "peak", "peak");
    for (const auto& [target, word] : {std::pair("level", "mean"), std::pair("peak", "peak")})
      if (auto broken = brokenText(item, target, word); !broken.empty()) notes.push_back(broken);
    if (const std::string note = rawText(item, {"note"}); !note.empty())
      notes.push_back(
          fmt::format("{} within {}: {}", rawText(item, {"resource"}), horizonText(item), note));
  }
  Page page(fmt::format("{}, foreseen at {} UTC", vm, timeText(made)));
  page.table("demand stays below these values with probability", table, room);
  page.heading(
      "CPU is in cores. A forecast held if demand stayed below its 95 % value. The band comes "
      "from\n"
      "the VM's own outcomes, or from those of all VMs pooled; with none it is wide by "
      "convention.\n"
      "99 % is told once 500 outcomes are known.");
  page.list("notes", notes);
  page.list("not foreseen", missing);
  return page.take();
}

}  // namespace virtseer::cli
