#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/body.h"
#include "cli/care_tables.h"
#include "cli/page.h"

namespace virtseer::cli {
namespace {

std::string enrollTitle(const Json& report) {
  const auto vm = shownText(report, {"vm_name"});
  const bool remove = truth(report, {"remove"}), changed = truth(report, {"changed"});
  const bool dry_run = truth(report, {"dry_run"});
  if (dry_run && !truth(report, {"fits"}))
    return vm + (remove ? " cannot be changed" : " cannot be enrolled");
  if (!changed) return vm + (remove ? " is not enrolled" : " is enrolled already");
  if (dry_run) return vm + (remove ? " would no longer be enrolled" : " would be enrolled");
  return vm + (remove ? " is no longer enrolled" : " is enrolled");
}

void steps(Page& page, const Json& report) {
  const auto all = objects(report, {"steps"});
  if (all.empty()) return;
  const bool dry_run = truth(report, {"dry_run"});
  page.heading(dry_run ? "what would be done" : "what is done");
  for (const Json& step : all)
    page.line(shownText(step, {"what"}),
              printable(rawText(step, {"words"})) +
                  (dry_run || truth(step, {"done"}) ? "" : " (not done)"));
}

std::size_t count(const std::vector<Json>& findings, std::string_view severity) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const Json& each) { return rawText(each, {"severity"}) == severity; }));
}

std::string counted(std::size_t number, std::string_view one) {
  return fmt::format("{} {}{}", number, one, number == 1 ? "" : "s");
}

std::string doctorTitle(const std::vector<Json>& findings) {
  if (findings.empty()) return "nothing keeps virtseer from seeing";
  return fmt::format("{}: {}, {}, {}", counted(findings.size(), "finding"),
                     counted(count(findings, "error"), "error"),
                     counted(count(findings, "warning"), "warning"),
                     counted(count(findings, "info"), "hint"));
}

}  // namespace

Result<std::string> enrollText(std::string_view body, std::size_t room) {
  const auto report = parseObject(body);
  if (!report) return fail(report.error());
  Page page(enrollTitle(*report));
  steps(page, *report);
  page.list("to know", texts(*report, {"notes"}));
  if (truth(*report, {"dry_run"})) {
    Columns checks({{"CHECK"}, {"HOLDS"}, {"IN WORDS"}});
    for (const Json& check : objects(*report, {"checks"}))
      checks.add({rawText(check, {"name"}), truth(check, {"held"}) ? "yes" : "NO",
                  rawText(check, {"words"})});
    page.table("conditions", checks, room);
    if (!truth(*report, {"fits"})) return page.take();
  }
  if (const auto file = rawText(*report, {"token_file"}); !file.empty()) {
    page.heading("token");
    page.line("file", printable(file));
  }
  page.list("in the guest", texts(*report, {"guest"}));
  if (const auto undo = rawText(*report, {"undo"}); !undo.empty()) {
    page.heading("to take it back");
    page.item(printable(undo));
  }
  return page.take();
}

bool enrollFits(std::string_view body) {
  const auto report = parseObject(body);
  return !report || truth(*report, {"fits"});
}

std::string tokenFileOf(std::string_view body) {
  const auto report = parseObject(body);
  return report ? rawText(*report, {"token_file"}) : std::string();
}

Result<std::string> doctorText(std::string_view body) {
  const auto findings = parseItems(body);
  if (!findings) return fail(findings.error());
  Page page(doctorTitle(*findings));
  for (const Json& finding : *findings) {
    const auto severity = rawText(finding, {"severity"});
    page.heading(fmt::format("{}: {}, {}", severity == "info" ? "hint" : printable(severity),
                             shownText(finding, {"entity_name"}), shownText(finding, {"what"})));
    page.line("means", shownText(finding, {"means"}));
    page.line("to do", shownText(finding, {"remedy"}));
    if (const auto command = rawText(finding, {"command"}); !command.empty())
      page.line("command", printable(command));
  }
  return page.take();
}

bool doctorAlarms(std::string_view body, bool strict) {
  const auto findings = parseItems(body);
  return findings && std::ranges::any_of(*findings, [&](const Json& each) {
           const auto severity = rawText(each, {"severity"});
           return severity == "error" || (strict && severity == "warning");
         });
}

}  // namespace virtseer::cli
