#include <fmt/format.h>

#include "base/text.h"
#include "cli/body.h"
#include "cli/decision_tables.h"
#include "cli/page.h"
#include "cli/units.h"

namespace virtseer::cli {
namespace {

const char* yesOrNo(bool truth) {
  return truth ? "yes" : "no";
}

Columns wordsOf(const Json& policy) {
  Columns table({{"SAID BY", Align::left, 28}, {"KEY"}, {"VALUE"}, {"COUNTS"}, {"NOTE"}});
  for (const Json& line : objects(policy, {"lines"}))
    table.add({rawText(line, {"source"}), rawText(line, {"key"}), rawText(line, {"value"}),
               yesOrNo(truth(line, {"taken"})), rawText(line, {"note"})});
  return table;
}

}  // namespace

Result<std::string> policyText(std::string_view body, std::size_t room) {
  const auto whole = parseObject(body);
  if (!whole) return fail(whole.error());
  Page page(shownText(*whole, {"vm_name"}));
  if (truth(*whole, {"stop"}))
    page.line("stopped", "nothing is carried out: see virtseer automation");
  page.line("mode", shownText(*whole, {"policy", "mode"}));
  const auto flag = [&](const char* name, const char* key) {
    page.line(name, truth(*whole, {"policy", key}) ? "true" : "false");
  };
  flag("excluded", "excluded");
  page.line("priority", countText(number(*whole, {"policy", "priority"})));
  flag("migrate", "migrate");
  flag("copy_storage", "copy_storage");
  flag("return_trip", "return_trip");
  flag("unlocked_disks", "unlocked_disks");
  page.table("whose word that is, in order", wordsOf(*whole), room);
  return page.take();
}

Result<std::string> explanationText(std::string_view body) {
  const auto whole = parseObject(body);
  if (!whole) return fail(whole.error());
  std::string out;
  for (const std::string& line : texts(*whole, {"lines"})) out += printable(line) + "\n";
  return out.empty() ? "Nothing is known about it.\n" : out;
}

Result<std::string> maintenanceText(std::string_view body, std::string_view host) {
  const auto whole = parseObject(body);
  if (!whole) return fail(whole.error());
  const bool on = truth(*whole, {"maintenance"});
  return fmt::format(
      "{} is {}.\n", printable(host),
      on ? "in maintenance: it takes no VM, and plans move its VMs away" : "out of maintenance");
}

Result<std::string> automationText(std::string_view body, Timestamp now) {
  const auto whole = parseObject(body);
  if (!whole) return fail(whole.error());
  const std::string since = rawText(*whole, {"since"});
  return fmt::format(
      "Automation is {} (said by: {}{}).\n",
      truth(*whole, {"on"}) ? "on: virtseer carries out what policy allows"
                            : "off: nothing is carried out, everything is still said",
      shownText(*whole, {"said_by"}), since.empty() ? "" : ", " + agoText(since, now));
}

}  // namespace virtseer::cli
