#include "daemon/operation_words.h"

#include <fmt/format.h>

#include "base/text.h"

namespace virtseer::daemon {
namespace {

std::string cores(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value) : "?";
}

std::string wellWords(const Wellbeing& well) {
  std::string out = fmt::format("uses {} cores and waits for {}", cores(well.cpu_cores),
                                cores(well.cpu_delay_cores));
  if (well.work_units_per_s)
    out += fmt::format(", does {:.1f} work units/s", *well.work_units_per_s);
  if (!well.agent) out += ", its agent is not heard";
  if (well.io_errors > 0) out += fmt::format(", {} I/O errors in the last minute", well.io_errors);
  return out;
}

std::string idea(const Operation& operation) {
  switch (operation.origin) {
    case OperationOrigin::person:
      return "asked for by a person";
    case OperationOrigin::plan:
      return "step " + operation.plan_step + " of a plan";
    case OperationOrigin::returning:
      return "the way back of operation " + printable(operation.return_of);
  }
  return "";
}

}  // namespace

std::vector<std::string> explainOperation(const Operation& operation) {
  std::vector<std::string> out;
  out.push_back(fmt::format("{} of {} from {} to {}: {}", name(operation.kind),
                            printable(operation.vm_name), printable(operation.from_name),
                            printable(operation.to_name), name(operation.state)));
  if (!operation.message.empty()) out.push_back(printable(operation.message));
  if (operation.kind == OperationKind::migration) out.push_back(idea(operation));
  for (const auto& reason : operation.reasons) out.push_back("because " + printable(reason));
  for (const auto& step : operation.steps)
    out.push_back(fmt::format("{}  {}{}{}", rfc3339(step.at), name(step.state),
                              step.note.empty() ? "" : ": ", printable(step.note)));
  if (operation.duration)
    out.push_back(fmt::format(
        "took {} ms{}", operation.duration->count(),
        operation.downtime ? fmt::format(", {} ms of it down", operation.downtime->count()) : ""));
  if (operation.before) out.push_back("before: " + wellWords(*operation.before));
  if (operation.after) out.push_back("after: " + wellWords(*operation.after));
  for (const auto& advice : operation.advice) out.push_back("to do: " + printable(advice));
  return out;
}

}  // namespace virtseer::daemon
