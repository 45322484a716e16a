#include "api/care_json.h"

#include <nlohmann/json.hpp>

#include "api/json_parts.h"
#include "wire/wire.h"

namespace virtseer::api {
namespace {

Json stepJson(const EnrollStep& step) {
  return {{"what", name(step.kind)},
          {"live", step.affects.live},
          {"config", step.affects.config},
          {"done", step.done},
          {"words", step.words}};
}

}  // namespace

Json enrollJson(const EnrollReport& report) {
  Json checks = Json::array(), steps = Json::array(), notes = Json::array(), guest = Json::array();
  for (const auto& check : report.plan.checks) checks.push_back(wire::json(check));
  for (const auto& step : report.plan.steps) steps.push_back(stepJson(step));
  for (const auto& note : report.plan.notes) notes.push_back(note);
  for (const auto& line : report.guest) guest.push_back(line);
  return {{"vm", report.vm.text()},
          {"vm_name", report.vm_name},
          {"dry_run", report.dry_run},
          {"remove", report.remove},
          {"way", name(report.way)},
          {"changed", report.changed},
          {"fits", report.plan.fits()},
          {"checks", std::move(checks)},
          {"steps", std::move(steps)},
          {"notes", std::move(notes)},
          {"token_file", known(report.token_file)},
          {"guest", std::move(guest)},
          {"undo", known(report.undo)}};
}

Json findingJson(const Finding& finding) {
  return {{"severity", name(finding.severity)},
          {"kind", finding.kind},
          {"entity", orNull(finding.entity)},
          {"entity_name", known(finding.entity_name)},
          {"what", finding.what},
          {"means", finding.means},
          {"remedy", finding.remedy},
          {"command", known(finding.command)}};
}

Json doctorJson(const DoctorAnswer& answer) {
  Json items = Json::array();
  for (const auto& finding : answer.findings) items.push_back(findingJson(finding));
  return {{"time", rfc3339(answer.time)}, {"items", std::move(items)}, {"next", nullptr}};
}

Json guestJson(const GuestFacts& guest) {
  Json filesystems = Json::array();
  for (const auto& each : guest.filesystems)
    filesystems.push_back({{"mountpoint", each.mountpoint},
                           {"type", known(each.type)},
                           {"total_bytes", orNull(each.total_bytes)},
                           {"used_bytes", orNull(each.used_bytes)}});
  const auto offset = guest.clock_offset
                          ? std::optional(static_cast<double>(guest.clock_offset->count()) / 1000)
                          : std::nullopt;
  return {{"os", known(guest.os)},
          {"kernel", known(guest.kernel)},
          {"hostname", known(guest.hostname)},
          {"vcpus_online", orNull(guest.vcpus_online)},
          {"clock_offset_seconds", number(offset)},
          {"filesystems", std::move(filesystems)}};
}

}  // namespace virtseer::api
