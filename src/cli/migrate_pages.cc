#include <fmt/format.h>

#include "base/text.h"
#include "cli/decision_words.h"
#include "cli/operation_tables.h"
#include "cli/page.h"
#include "cli/units.h"

namespace virtseer::cli {
namespace {

const Json* member(const Json& answer, const char* name) {
  const Json* found = at(answer, {name});
  return found && found->is_object() ? found : nullptr;
}

std::string dryRunText(const Json& run, std::size_t room) {
  const std::string to = shownText(run, {"to_name"});
  const bool fits = truth(run, {"fits"});
  Page page(fmt::format("{} {} {}", shownText(run, {"vm_name"}),
                        fits ? "could move to" : "cannot move to", to == "-" ? "any host" : to));
  page.line("storage", truth(run, {"copy_storage"}) ? "copied" : "shared");
  // A host that was never heard has no score.
  if (const Json* ranked = member(run, "ranked"); ranked && !objects(*ranked, {"parts"}).empty()) {
    page.line("score", fmt::format("{:.2f}", number(*ranked, {"score"}).value_or(0)));
    page.line("runs short", contentionChange(at(*ranked, {"before"}), at(*ranked, {"after"})));
    page.line("the move", costText(at(*ranked, {"cost"})));
  }
  Columns checks({{"CHECK"}, {"HOLDS"}, {"IN WORDS"}});
  for (const Json& check : objects(run, {"checks"}))
    checks.add({rawText(check, {"name"}), truth(check, {"held"}) ? "yes" : "NO",
                rawText(check, {"words"})});
  page.table("pre-flight", checks, room);
  return page.take();
}

std::string begunText(const Json& operation) {
  const std::string id = shownText(operation, {"id"});
  return fmt::format(
      "{}, {}: operation {} has begun; nothing moves if the destination refuses.\n"
      "Look at it: virtseer operation {}; stop it: virtseer abort {}\n",
      shownText(operation, {"vm_name"}), wayText(operation), id, id, id);
}

}  // namespace

Result<std::string> migrateText(std::string_view body, std::size_t room) {
  const auto answer = parseObject(body);
  if (!answer) return fail(answer.error());
  if (const Json* run = member(*answer, "dry_run")) return dryRunText(*run, room);
  if (const Json* operation = member(*answer, "operation")) return begunText(*operation);
  return fail(Code::corrupt, "the daemon's answer tells neither an operation nor a dry run");
}

bool migrateFits(std::string_view body) {
  const auto answer = parseObject(body);
  const Json* run = answer ? member(*answer, "dry_run") : nullptr;
  return !run || truth(*run, {"fits"});
}

}  // namespace virtseer::cli
