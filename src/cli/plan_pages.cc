#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "cli/body.h"
#include "cli/decision_tables.h"
#include "cli/decision_words.h"
#include "cli/page.h"
#include "cli/units.h"

namespace virtseer::cli {
namespace {

/// Who wants most of a host, up to three of them.
std::string sharesText(const Json& host) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> out;
  for (const Json& share : objects(host, {"shares"}))
    if (out.size() < kShown)
      out.push_back(
          fmt::format("{} {}", rawText(share, {"vm_name"}), percentText(number(share, {"share"}))));
  return out.empty() ? "" : fmt::format("shortage of {}", fmt::join(out, ", "));
}

std::string hostNote(const Json& host) {
  if (const std::string unusable = rawText(host, {"unusable"}); !unusable.empty())
    return "not used: " + unusable;
  std::vector<std::string> out;
  if (truth(host, {"maintenance"})) out.emplace_back("in maintenance");
  if (auto shares = sharesText(host); !shares.empty()) out.push_back(std::move(shares));
  if (const auto lacking = number(host, {"vms_unforeseen"}); lacking && *lacking > 0)
    out.push_back(fmt::format("{} of {} VMs without a forecast to plan with yet",
                              countText(lacking), countText(number(host, {"vms_running"}))));
  return fmt::format("{}", fmt::join(out, "; "));
}

std::string heldText(std::optional<double> rounds) {
  if (!rounds || *rounds <= 0) return "-";
  return *rounds == 1 ? "1 round" : countText(rounds) + " rounds";
}

Columns hostsOf(const Json& plan) {
  Columns table({{"HOST", Align::left, 24},
                 {"WANTED", Align::right},
                 {"RUNS SHORT", Align::right},
                 {"WHEN"},
                 {"FORESEEN FOR"},
                 {"NOTE"}});
  for (const Json& host : objects(plan, {"hosts"})) {
    if (number(host, {"capacity_cpus"}).value_or(0) <= 0) {
      table.add({rawText(host, {"name"}), "-", "-", "-", "-", hostNote(host)});
      continue;
    }
    const Json* contention = at(host, {"contention"});
    const auto running = number(host, {"vms_running"});
    // Nothing foreseen is not the same as nothing to fear.
    const bool blind = running.value_or(0) > 0 && number(host, {"vms_unforeseen"}) == running &&
                       whenText(contention) == "-";
    table.add({rawText(host, {"name"}),
               fmt::format("{} / {}", coresText(number(host, {"contention", "mean_cpus"})),
                           numberText(number(host, {"capacity_cpus"}))),
               blind ? "-" : contentionText(contention), whenText(contention),
               heldText(number(host, {"held_rounds"})), hostNote(host)});
  }
  return table;
}

std::string stepState(const Json& step) {
  if (truth(step, {"executable"})) return "is carried out";
  const std::string why = rawText(step, {"held_back"});
  return shownText(step, {"state"}) + (why.empty() ? "" : ": " + printable(why));
}

void stepOf(Page& page, const Json& step) {
  page.heading(fmt::format("step {}: {}, {}", shownText(step, {"id"}), shownText(step, {"vm_name"}),
                           wayText(step)));
  page.line("state", fmt::format("{} (mode {})", stepState(step), shownText(step, {"mode"})));
  page.line("because of", shownText(step, {"cause"}));
  const auto change = [&](const char* name, const char* before, const char* after) {
    page.line(
        shownText(step, {name}),
        fmt::format("runs short {}", contentionChange(at(step, {before}), at(step, {after}))));
  };
  change("from_name", "from_before", "from_after");
  change("to_name", "to_before", "to_after");
  page.line("takes away",
            percentText(number(step, {"relief"})) + " of what the source lacks, on balance");
  page.line("the move", costText(at(step, {"cost"})));
  page.line("reserves", fmt::format("{} cores, {}", coresText(number(step, {"cpus"})),
                                    bytesText(number(step, {"memory_bytes"}))));
  for (const std::string& reason : texts(step, {"reasons"})) page.line("why", printable(reason));
  for (const std::string& other : texts(step, {"counterfactuals"}))
    page.line("otherwise", printable(other));
}

Columns rejectedOf(const Json& plan) {
  Columns table({{"VM", Align::left, 22}, {"HOST", Align::left, 22}, {"REASON"}, {"IN WORDS"}});
  for (const Json& rejection : objects(plan, {"rejected"}))
    table.add({shownText(rejection, {"vm_name"}), shownText(rejection, {"host_name"}),
               rawText(rejection, {"why"}), rawText(rejection, {"words"})});
  return table;
}

}  // namespace

Result<std::string> planText(std::string_view body, Timestamp now, std::size_t room) {
  const auto plan = parseObject(body);
  if (!plan) return fail(plan.error());
  Page page(shownText(*plan, {"verdict"}));
  page.line("plan", fmt::format("{}, round {}, made {}", shownText(*plan, {"id"}),
                                countText(number(*plan, {"round"})),
                                agoText(rawText(*plan, {"made"}), now)));
  if (truth(*plan, {"stopped"}))
    page.line("stopped", "nothing is carried out: see virtseer automation");
  page.table("hosts", hostsOf(*plan), room);
  for (const Json& step : objects(*plan, {"steps"})) stepOf(page, step);
  page.list("reasons", texts(*plan, {"reasons"}));
  page.list("what would change it", texts(*plan, {"counterfactuals"}));
  page.table("looked at and not chosen", rejectedOf(*plan), room);
  if (const auto more = number(*plan, {"rejected_more"}); more && *more > 0)
    page.item(fmt::format("and {} more", countText(more)));
  return page.take();
}

bool planHasSteps(std::string_view body) {
  const auto plan = parseObject(body);
  return plan && !objects(*plan, {"steps"}).empty();
}

}  // namespace virtseer::cli
