#include <fmt/format.h>

#include "base/text.h"
#include "cli/body.h"
#include "cli/decision_tables.h"
#include "cli/decision_words.h"
#include "cli/page.h"
#include "cli/units.h"

namespace virtseer::cli {
namespace {

std::string placeText(const Json& host) {
  if (truth(host, {"current"})) return "is there now";
  return truth(host, {"fits"}) ? "fits" : "excluded";
}

bool scored(const Json& host) {
  return truth(host, {"fits"}) || truth(host, {"current"});
}

std::string scoreText(std::optional<double> score) {
  return score ? fmt::format("{:.2f}", *score) : "-";
}

Columns hostsOf(const std::vector<Json>& hosts) {
  Columns table({{"HOST", Align::left, 24},
                 {"PLACE"},
                 {"SCORE", Align::right},
                 {"RUNS SHORT", Align::right},
                 {"THE MOVE"}});
  for (const Json& host : hosts)
    table.add({rawText(host, {"name"}), placeText(host),
               scored(host) ? scoreText(number(host, {"score"})) : "-",
               objects(host, {"parts"}).empty()
                   ? "-"
                   : contentionChange(at(host, {"before"}), at(host, {"after"})),
               truth(host, {"fits"}) ? costText(at(host, {"cost"})) : "-"});
  return table;
}

/// A score is the sum of each part's value times its weight.
Columns partsOf(const std::vector<Json>& hosts) {
  Columns table({{"HOST", Align::left, 24},
                 {"PART"},
                 {"VALUE", Align::right},
                 {"WEIGHT", Align::right},
                 {"IN WORDS"}});
  for (const Json& host : hosts)
    if (scored(host))
      for (const Json& part : objects(host, {"parts"}))
        table.add({rawText(host, {"name"}), rawText(part, {"name"}),
                   scoreText(number(part, {"value"})), scoreText(number(part, {"weight"})),
                   rawText(part, {"words"})});
  return table;
}

std::string headline(const std::string& vm, const std::vector<Json>& hosts) {
  const Json *best = nullptr, *here = nullptr;
  for (const Json& host : hosts) {
    if (!best && truth(host, {"fits"})) best = &host;
    if (truth(host, {"current"})) here = &host;
  }
  if (!best) return fmt::format("{} fits on no other host", vm);
  const auto named = [](const Json& host) {
    return fmt::format("{} ({})", shownText(host, {"name"}), scoreText(number(host, {"score"})));
  };
  // What excludes the present host is that it is to be emptied.
  if (here && !objects(*here, {"excluded"}).empty())
    return fmt::format("{} would best run on {}, since {} is in maintenance", vm, named(*best),
                       shownText(*here, {"name"}));
  if (!here || number(*best, {"score"}) > number(*here, {"score"}))
    return fmt::format("{} would best run on {}", vm, named(*best));
  return fmt::format("no host is better for {} than {}, where it is; the best other one is {}", vm,
                     named(*here), named(*best));
}

std::string exclusionText(const Json& exclusion) {
  std::string out = rawText(exclusion, {"words"});
  if (const std::string would = rawText(exclusion, {"would"}); !would.empty())
    out += fmt::format(" (otherwise: {})", would);
  if (truth(exclusion, {"advice"})) out += " [a person may decide otherwise]";
  return out;
}

Columns excludedOf(const std::vector<Json>& hosts) {
  Columns table({{"HOST", Align::left, 24}, {"REASON"}, {"IN WORDS"}});
  for (const Json& host : hosts)
    if (!truth(host, {"current"}))
      for (const Json& exclusion : objects(host, {"excluded"}))
        table.add({rawText(host, {"name"}), rawText(exclusion, {"why"}), exclusionText(exclusion)});
  return table;
}

}  // namespace

Result<std::string> rankingText(std::string_view body, std::size_t room) {
  const auto ranking = parseObject(body);
  if (!ranking) return fail(ranking.error());
  const std::string vm = shownText(*ranking, {"vm_name"});
  const auto hosts = objects(*ranking, {"hosts"});
  Page page(headline(vm, hosts));
  page.line("as of", timeText(rawText(*ranking, {"made"})) + " UTC");
  std::vector<std::string> stays;
  for (const Json& reason : objects(*ranking, {"stays"})) stays.push_back(exclusionText(reason));
  page.list("it is not moved by virtseer itself", stays);
  page.table("hosts", hostsOf(hosts), room);
  page.table("scores, 0 to 1", partsOf(hosts), room);
  page.table("excluded", excludedOf(hosts), room);
  return page.take();
}

}  // namespace virtseer::cli
