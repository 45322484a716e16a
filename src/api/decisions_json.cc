#include "api/decisions_json.h"

#include <nlohmann/json.hpp>

#include "api/json_parts.h"
#include "wire/wire.h"

namespace virtseer::api {
namespace {

template <class T, class Write>
Json array(const std::vector<T>& items, Write write) {
  Json out = Json::array();
  for (const auto& item : items) out.push_back(write(item));
  return out;
}

Json texts(const std::vector<std::string>& lines) {
  return array(lines, [](const std::string& line) { return Json(line); });
}

Json outlookJson(const Outlook& outlook) {
  return {{"point", number(outlook.point)},           {"by", name(outlook.by)},
          {"p50", number(outlook.quantiles.p50)},     {"p80", number(outlook.quantiles.p80)},
          {"p95", number(outlook.quantiles.p95)},     {"p99", number(outlook.quantiles.p99)},
          {"calibration", name(outlook.calibration)}, {"outcomes", outlook.outcomes}};
}

Json targetRecordJson(const TrackRecord& record, const TargetRecord& target) {
  const auto recent = record.recent(target);
  return {{"coverage",
           {{"p50", number(target.coverage(0))},
            {"p80", number(target.coverage(1))},
            {"p95", number(target.coverage(2))},
            {"p99", number(target.coverage(3))}}},
          {"recent", {{"held", recent.held}, {"of", recent.of}}}};
}

Json forecastViewJson(const ForecastView& view) {
  const Forecast& forecast = view.forecast;
  const TrackRecord& record = view.record;
  return {{"resource", name(forecast.resource)},
          {"unit", unit(forecast.resource)},
          {"horizon_ms", forecast.horizon.count()},
          {"made", rfc3339(forecast.made)},
          {"level", outlookJson(forecast.level)},
          {"peak", outlookJson(forecast.peak)},
          {"note", known(forecast.note)},
          {"record",
           {{"scored", record.scored},
            {"unscored", record.unscored},
            {"level", targetRecordJson(record, record.level)},
            {"peak", targetRecordJson(record, record.peak)}}}};
}

Json contentionJson(const Contention& contention) {
  return {{"probability", number(contention.probability)},
          {"until_ms", orNull(contention.until)},
          {"probability_then", number(contention.probability_then)},
          {"already", contention.already},
          {"shortage_cpus", number(contention.shortage_cpus)},
          {"mean_cpus", number(contention.mean_cpus)}};
}

Json costJson(const MoveCost& cost) {
  const auto downtime = cost.dirty_rate_known ? std::optional<Millis>(cost.downtime) : std::nullopt;
  return {{"memory_bytes", cost.memory_bytes},    {"disk_bytes", cost.disk_bytes},
          {"duration_ms", cost.duration.count()}, {"downtime_ms", orNull(downtime)},
          {"converges", cost.converges},          {"dirty_rate_known", cost.dirty_rate_known}};
}

Json partJson(const ScorePart& part) {
  return {{"name", part.name},
          {"weight", number(part.weight)},
          {"value", number(part.value)},
          {"words", part.words}};
}

Json shareJson(const VmShare& share) {
  return {{"vm", share.vm.text()},
          {"vm_name", share.vm_name},
          {"share", number(share.share)},
          {"mean_cpus", number(share.mean_cpus)}};
}

Json outlookJson(const HostOutlook& host) {
  return {{"host", host.host.text()},
          {"name", host.name},
          {"capacity_cpus", number(host.capacity_cpus)},
          {"contention", contentionJson(host.contention)},
          {"shares", array(host.shares, shareJson)},
          {"held_rounds", host.held_rounds},
          {"vms_running", host.vms_running},
          {"vms_unforeseen", host.vms_unforeseen},
          {"maintenance", host.maintenance},
          {"unusable", known(host.unusable)}};
}

Json exclusionJson(const Exclusion& exclusion) {
  return {{"why", name(exclusion.why)},
          {"words", exclusion.words},
          {"would", known(exclusion.would)},
          {"advice", exclusion.advice}};
}

Json rejectionJson(const Rejection& rejection) {
  return {{"vm", orNull(rejection.vm)},     {"vm_name", known(rejection.vm_name)},
          {"host", orNull(rejection.host)}, {"host_name", known(rejection.host_name)},
          {"why", name(rejection.why)},     {"words", rejection.words},
          {"would", known(rejection.would)}};
}

Json policyLineJson(const PolicyLine& line) {
  return {{"source", line.source},
          {"key", line.key},
          {"value", line.value},
          {"taken", line.taken},
          {"note", known(line.note)}};
}

Json dryRunJson(const MigrateDryRun& dry_run) {
  return {{"vm", dry_run.vm.text()},
          {"vm_name", dry_run.vm_name},
          {"to", orNull(dry_run.to)},
          {"to_name", known(dry_run.to_name)},
          {"fits", dry_run.fits},
          {"copy_storage", dry_run.copy_storage},
          {"checks", array(dry_run.checks, [](const Check& check) { return wire::json(check); })},
          {"ranked", dry_run.ranked ? rankedHostJson(*dry_run.ranked) : Json(nullptr)}};
}

}  // namespace

Json forecastJson(const ForecastAnswer& answer) {
  return {{"vm", answer.vm.text()},
          {"vm_name", answer.vm_name},
          {"items", array(answer.forecasts, forecastViewJson)},
          {"missing", texts(answer.missing)},
          {"next", nullptr}};
}

Json planStepJson(const PlanStep& step) {
  return {{"id", step.id},
          {"state", name(step.state)},
          {"cause", name(step.cause)},
          {"vm", step.vm.text()},
          {"vm_name", step.vm_name},
          {"from", step.from.text()},
          {"from_name", step.from_name},
          {"to", step.to.text()},
          {"to_name", step.to_name},
          {"from_before", contentionJson(step.from_before)},
          {"from_after", contentionJson(step.from_after)},
          {"to_before", contentionJson(step.to_before)},
          {"to_after", contentionJson(step.to_after)},
          {"relief", number(step.relief)},
          {"cost", costJson(step.cost)},
          {"score", number(step.score)},
          {"parts", array(step.parts, partJson)},
          {"cpus", number(step.cpus)},
          {"memory_bytes", step.memory_bytes},
          {"mode", name(step.mode)},
          {"executable", step.executable},
          {"held_back", known(step.held_back)},
          {"reasons", texts(step.reasons)},
          {"counterfactuals", texts(step.counterfactuals)}};
}

Json planJson(const Plan& plan) {
  return {{"id", plan.id},
          {"made", rfc3339(plan.made)},
          {"round", plan.round},
          {"stopped", plan.stopped},
          {"verdict", plan.verdict},
          {"steps", array(plan.steps, planStepJson)},
          {"hosts", array(plan.hosts, [](const HostOutlook& host) { return outlookJson(host); })},
          {"rejected", array(plan.rejected, rejectionJson)},
          {"rejected_more", plan.rejected_more},
          {"reasons", texts(plan.reasons)},
          {"counterfactuals", texts(plan.counterfactuals)}};
}

Json rankedHostJson(const RankedHost& host) {
  return {{"host", host.host.text()},
          {"name", host.name},
          {"current", host.current},
          {"fits", host.fits()},
          {"excluded", array(host.excluded, exclusionJson)},
          {"score", number(host.score)},
          {"parts", array(host.parts, partJson)},
          {"before", contentionJson(host.before)},
          {"after", contentionJson(host.after)},
          {"cost", costJson(host.cost)}};
}

Json rankingJson(const Ranking& ranking) {
  return {{"vm", ranking.vm.text()},
          {"vm_name", ranking.vm_name},
          {"made", rfc3339(ranking.made)},
          {"stays", array(ranking.stays, exclusionJson)},
          {"hosts", array(ranking.hosts, rankedHostJson)}};
}

Json explanationJson(const Explanation& explanation) {
  return {
      {"id", explanation.id},
      {"lines", texts(explanation.lines)},
      {"plan", explanation.plan ? planJson(*explanation.plan) : Json(nullptr)},
      {"step", explanation.step ? planStepJson(*explanation.step) : Json(nullptr)},
      {"operation", explanation.operation ? wire::json(*explanation.operation) : Json(nullptr)}};
}

Json policyJson(const PolicyView& view) {
  const Policy& policy = view.resolved.policy;
  return {{"vm", view.vm.text()},
          {"vm_name", view.vm_name},
          {"policy",
           {{"mode", name(policy.mode)},
            {"excluded", policy.excluded},
            {"priority", policy.priority},
            {"migrate", policy.migrate},
            {"copy_storage", policy.copy_storage},
            {"return_trip", policy.return_trip},
            {"unlocked_disks", policy.unlocked_disks}}},
          {"stop", view.resolved.stop},
          {"lines", array(view.resolved.lines, policyLineJson)}};
}

Json automationJson(const Automation& automation) {
  return {
      {"on", automation.on}, {"said_by", automation.said_by}, {"since", orNull(automation.since)}};
}

Json migrateJson(const MigrateAnswer& answer) {
  return {{"operation", answer.operation ? wire::json(*answer.operation) : Json(nullptr)},
          {"dry_run", answer.dry_run ? dryRunJson(*answer.dry_run) : Json(nullptr)}};
}

}  // namespace virtseer::api
