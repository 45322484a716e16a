#include <catch2/catch.hpp>

#include "api/decisions_json.h"
#include "decisions_samples.h"
#include "openapi_fit.h"
#include "wire/wire.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {

/// Nothing known but what must be.
struct Bare {
  ForecastAnswer forecast{.vm = uuidOf(2), .vm_name = "web", .forecasts = {{}}, .missing = {}};
  Plan plan;
  Ranking ranking;
  Explanation explanation{.id = "p-1", .lines = {}, .plan = {}, .step = {}, .operation = {}};
  Operation operation;

  Bare() {
    plan.steps.resize(1);
    plan.hosts.resize(1);
    plan.rejected.resize(1);
    ranking.stays.resize(1);
    ranking.hosts.resize(1);
    ranking.hosts[0].excluded.resize(1);
    operation.vm = uuidOf(2);
  }
};

}  // namespace

TEST_CASE("what is foreseen and decided has exactly the members of its schemas") {
  auto filled = filledDecisions();
  fits(forecastJson(filled.known_forecast), "ForecastList");
  fits(planJson(*filled.known_plan), "Plan");
  fits(rankingJson(filled.known_ranking), "Ranking");
  fits(explanationJson(filled.known_explanation), "Explanation");
  fits(policyJson(filled.known_policy), "PolicyAnswer");
  fits(automationJson(filled.known_automation), "Automation");
  fits(migrateJson(filled.migrate_answer), "MigrateAnswer");
  fits(migrateJson({.operation = {}, .dry_run = sampleDryRun()}), "MigrateAnswer");
}

TEST_CASE("what is hardly known fits its schemas too") {
  const Bare bare;
  fits(forecastJson(bare.forecast), "ForecastList");
  fits(planJson(bare.plan), "Plan");
  fits(rankingJson(bare.ranking), "Ranking");
  fits(explanationJson(bare.explanation), "Explanation");
  fits(policyJson({}), "PolicyAnswer");
  fits(automationJson({}), "Automation");
  fits(migrateJson({.operation = bare.operation, .dry_run = MigrateDryRun{}}), "MigrateAnswer");
}

TEST_CASE("what daemons exchange has exactly the members of its schemas") {
  fits(wire::json(sampleOperation()), "Operation");
  fits(wire::json(sampleState()), "FleetState");
  fits(wire::json(RemoteVm{}), "RemoteVm");
  fits(wire::json(ReserveAnswer{.checks = {{}}, .reservation = {}}), "ReserveAnswer");
  fits(wire::json(sampleReservation()), "Reservation");
}

TEST_CASE("a downtime is not told where nobody knows how fast the guest writes") {
  Ranking ranking;
  ranking.hosts = {sampleRanked()};
  ranking.hosts[0].cost.dirty_rate_known = false;
  const Json told = rankingJson(ranking);
  CHECK(told["hosts"][0]["cost"]["downtime_ms"].is_null());
  fits(told, "Ranking");
}

TEST_CASE("the names of every enumeration are those of the file") {
  const auto same = [](const char* schema, auto first, std::size_t count) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < count; ++i)
      names.insert(std::string(name(static_cast<decltype(first)>(i))));
    INFO(schema);
    CHECK(names == file().schemas.at(schema).values);
  };
  same("Resource", Resource{}, kResources);
  same("Forecaster", Forecaster{}, kForecasters);
  same("Calibration", Calibration{}, 3);
  same("Mode", Mode{}, 3);
  same("StepState", StepState{}, 3);
  same("StepCause", StepCause{}, 2);
  same("Refusal", Refusal{}, static_cast<std::size_t>(Refusal::lower_score) + 1);
  same("OperationKind", OperationKind{}, 2);
  same("OperationState", OperationState{}, kOperationStates);
  same("OperationOrigin", OperationOrigin{}, 3);
  same("PresenceState", Presence::State{}, 5);
  same("PresenceJob", Presence::Job{}, 4);
  same("MoveOutcome", MoveOutcome{}, 5);
  same("CpuMode", CpuMode{}, 3);
}

TEST_CASE("a forecast says its band, its horizon and its record") {
  const Json item = forecastJson(sampleForecast())["items"][0];
  CHECK(item.dump() ==
        R"({"resource":"cpu","unit":"cores","horizon_ms":900000,"made":"2026-01-31T08:05:00.000Z",)"
        R"("level":{"point":1.5,"by":"damped_trend","p50":1.5,"p80":1.75,"p95":2.25,"p99":3.0,)"
        R"("calibration":"own","outcomes":64},)"
        R"("peak":{"point":1.5,"by":"damped_trend","p50":1.5,"p80":1.75,"p95":2.25,"p99":null,)"
        R"("calibration":"own","outcomes":64},"note":"the guest was restarted",)"
        R"("record":{"scored":4,"unscored":1,)"
        R"("level":{"coverage":{"p50":0.5,"p80":0.75,"p95":1.0,"p99":1.0},)"
        R"("recent":{"held":3,"of":4}},)"
        R"("peak":{"coverage":{"p50":0.5,"p80":0.75,"p95":1.0,"p99":1.0},)"
        R"("recent":{"held":3,"of":4}}}})");
}

TEST_CASE("contention that is not foreseen has no moment") {
  Plan plan = samplePlan();
  plan.hosts[0].contention.until.reset();
  CHECK(planJson(plan)["hosts"][0]["contention"]["until_ms"].is_null());
  CHECK(planJson(plan)["steps"][0]["from_before"].dump() ==
        R"({"probability":0.91,"until_ms":240000,"probability_then":0.62,"already":true,)"
        R"("shortage_cpus":0.75,"mean_cpus":7.5})");
}

TEST_CASE("texts that nobody wrote and ids of nothing are null") {
  const Bare bare;
  const Json plan = planJson(bare.plan);
  CHECK(plan["steps"][0]["held_back"].is_null());
  CHECK(plan["hosts"][0]["unusable"].is_null());
  for (const char* key : {"vm", "vm_name", "host", "host_name", "would"})
    CHECK(plan["rejected"][0][key].is_null());
  for (const char* key : {"plan", "step", "operation"})
    CHECK(explanationJson(bare.explanation)[key].is_null());
  CHECK(automationJson({})["since"].is_null());
  CHECK(migrateJson({})["operation"].is_null());
}

TEST_CASE("a number that JSON cannot say becomes null in a plan") {
  Plan plan = samplePlan();
  plan.steps[0].relief = std::numeric_limits<double>::quiet_NaN();
  plan.hosts[0].capacity_cpus = std::numeric_limits<double>::infinity();
  CHECK(planJson(plan)["steps"][0]["relief"].is_null());
  CHECK(planJson(plan)["hosts"][0]["capacity_cpus"].is_null());
}

TEST_CASE("a host that is excluded, or where the VM is, does not fit") {
  RankedHost host = sampleRanked();
  CHECK(rankedHostJson(host)["fits"] == false);
  host.excluded.clear();
  CHECK(rankedHostJson(host)["fits"] == true);
  host.current = true;
  CHECK(rankedHostJson(host)["fits"] == false);
}

TEST_CASE("no definition of a VM leaves with an operation") {
  const auto shown = text(migrateJson({.operation = sampleOperation(), .dry_run = {}}));
  CHECK(shown.find("op-1") != std::string::npos);
  CHECK(shown.find("secret") == std::string::npos);
}
