#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/decision_words.h"
#include "cli/operation_tables.h"
#include "cli/page.h"
#include "cli/units.h"

namespace virtseer::cli {
namespace {

bool runs(const Json& operation) {
  return rawText(operation, {"ended_at"}).empty();
}

/// How long it took, or has been taking.
std::string tookText(const Json& operation, Timestamp now) {
  const auto begun = parseRfc3339(rawText(operation, {"created"}));
  const auto ended = parseRfc3339(rawText(operation, {"ended_at"}));
  if (!begun || (!ended && !runs(operation))) return "-";
  const Timestamp until = ended.value_or(now);
  return until < *begun ? "-" : spanText(until - *begun);
}

std::string stateText(const Json& operation) {
  std::string out = shownText(operation, {"state"});
  const auto fraction = number(operation, {"progress", "fraction"});
  if (out == "migrating" && fraction) out += " " + percentText(fraction);
  if (runs(operation) && truth(operation, {"abort_requested"})) out += ", to be aborted";
  return out;
}

std::string originText(const Json& operation) {
  const std::string origin = rawText(operation, {"origin"}),
                    step = rawText(operation, {"plan_step"}),
                    of = rawText(operation, {"return_of"});
  if (!step.empty()) return fmt::format("{}, step {}", printable(origin), printable(step));
  return of.empty() ? shownText(operation, {"origin"})
                    : fmt::format("{}, back from {}", printable(origin), printable(of));
}

Columns stepsOf(const Json& operation) {
  Columns table({{"AT (UTC)"}, {"STATE"}, {"NOTE"}});
  for (const Json& step : objects(operation, {"steps"}))
    table.add({timeText(rawText(step, {"at"})), rawText(step, {"state"}), rawText(step, {"note"})});
  return table;
}

/// How the VM did at the source and does at the destination.
Columns wellbeingOf(const Json& operation) {
  Columns table({{"", Align::left},
                 {"WORK UNITS/S", Align::right},
                 {"CPU", Align::right},
                 {"WAITS FOR CPU", Align::right},
                 {"LAST ECHO", Align::right},
                 {"TICKS", Align::right},
                 {"I/O ERRORS", Align::right}});
  for (const char* when : {"before", "after"}) {
    const Json* one = at(operation, {when});
    if (!one || !one->is_object()) continue;
    const auto of = [&](const char* field) { return number(*one, {field}); };
    table.add({when, numberText(of("work_units_per_s")), coresText(of("cpu_cores")),
               coresText(of("cpu_delay_cores")),
               truth(*one, {"agent"}) ? millisText(of("echo_age_ms")) : "no agent",
               numberText(of("ticks")), countText(of("io_errors"))});
  }
  return table;
}

void moveOf(Page& page, const Json& operation, Timestamp now) {
  page.line("operation", fmt::format("{} ({}, asked for by: {})", shownText(operation, {"id"}),
                                     shownText(operation, {"kind"}), originText(operation)));
  page.line("begun", fmt::format("{}, {} {}", agoText(rawText(operation, {"created"}), now),
                                 runs(operation) ? "runs for" : "took", tookText(operation, now)));
  page.line("storage", truth(operation, {"copy_storage"}) ? "copied" : "shared");
  page.line("reserves", fmt::format("{} cores, {}", coresText(number(operation, {"cpus"})),
                                    bytesText(number(operation, {"memory_bytes"}))));
  if (runs(operation) && truth(operation, {"abort_requested"})) page.line("abort", "asked for");
  if (truth(operation, {"suspended"}))
    page.line("suspended", "the copy here stands still until the source is heard");
  if (rawText(operation, {"state"}) == "migrating") page.line("progress", progressText(operation));
  if (number(operation, {"duration_ms"}) || number(operation, {"downtime_ms"}))
    page.line("moved in",
              fmt::format("{}, {} of it down", millisText(number(operation, {"duration_ms"})),
                          millisText(number(operation, {"downtime_ms"}))));
}

}  // namespace

std::string progressText(const Json& operation) {
  constexpr std::size_t kBar = 24;
  const auto of = [&](const char* field) { return number(operation, {"progress", field}); };
  const double fraction = std::clamp(of("fraction").value_or(0), 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(fraction * kBar);
  std::string out = fmt::format("[{}{}] {:3.0f} %", std::string(filled, '#'),
                                std::string(kBar - filled, ' '), fraction * 100);
  if (const auto total = of("total_bytes"); total && *total > 0)
    out += fmt::format(", {} of {}", bytesText(of("processed_bytes")), bytesText(total));
  if (const auto rate = of("bytes_per_s")) out += ", " + bytesPerSecondText(rate);
  return out + ", " + millisText(of("elapsed_ms"));
}

Result<std::string> operationsTable(std::string_view body, Timestamp now, std::size_t room) {
  const auto items = parseItems(body);
  if (!items) return fail(items.error());
  Columns table({{"ID", Align::left, 20},
                 {"VM", Align::left, 20},
                 {"WAY", Align::left, 24},
                 {"STATE"},
                 {"BEGUN (UTC)"},
                 {"TOOK", Align::right},
                 {"MESSAGE"}});
  for (const Json& one : *items)
    table.add({rawText(one, {"id"}), rawText(one, {"vm_name"}), wayText(one), stateText(one),
               timeText(rawText(one, {"created"})), tookText(one, now), rawText(one, {"message"})});
  return table.empty() ? "No operations.\n" : table.text(room);
}

Result<std::string> operationText(std::string_view body, Timestamp now, std::size_t room) {
  const auto operation = parseObject(body);
  if (!operation) return fail(operation.error());
  Page page(fmt::format("{}, {}: {}", shownText(*operation, {"vm_name"}), wayText(*operation),
                        shownText(*operation, {"state"})));
  if (const std::string message = rawText(*operation, {"message"}); !message.empty())
    page.line("message", printable(message));
  page.list("what to do", texts(*operation, {"advice"}));
  page.heading("the move");
  moveOf(page, *operation, now);
  page.table("how the VM does", wellbeingOf(*operation), room);
  page.table("steps", stepsOf(*operation), room);
  page.list("reasons", texts(*operation, {"reasons"}));
  return page.take();
}

Result<std::string> abortText(std::string_view body, bool fenced) {
  const auto operation = parseObject(body);
  if (!operation) return fail(operation.error());
  if (!runs(*operation))
    return fmt::format("Operation {} has ended: {}.\n", shownText(*operation, {"id"}),
                       shownText(*operation, {"state"}));
  if (fenced)
    return fmt::format("Operation {} is to end without {}, which you say is off for good.\n",
                       shownText(*operation, {"id"}), shownText(*operation, {"to_name"}));
  return fmt::format("Operation {} is to be aborted; it is {} now.\n",
                     shownText(*operation, {"id"}), shownText(*operation, {"state"}));
}

}  // namespace virtseer::cli
