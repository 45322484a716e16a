#include <catch2/catch.hpp>

#include "cli/decision_tables.h"
#include "cli/operation_tables.h"
#include "golden/cli/golden_tables.h"

namespace virtseer::cli {
namespace {

const Timestamp kNow = *parseRfc3339("2026-01-31T08:05:00Z");

}  // namespace

TEST_CASE("a forecast as a person sees it", "[golden]") {
  compareTable("cli_forecast.txt", forecastText(body("cli_forecast.json"), 100));
  compareTable("cli_forecast_none.txt", forecastText(body("cli_forecast_none.json")));
}

TEST_CASE("a plan as a person sees it", "[golden]") {
  compare("cli_plan.txt", planText(body("cli_plan.json"), kNow));
  compare("cli_plan_none.txt", planText(body("cli_plan_none.json"), kNow));
  CHECK(planHasSteps(body("cli_plan.json")));
  CHECK_FALSE(planHasSteps(body("cli_plan_none.json")));
}

TEST_CASE("a ranking as a person sees it", "[golden]") {
  compare("cli_ranking.txt", rankingText(body("cli_ranking.json")));
}

TEST_CASE("an explanation as a person sees it", "[golden]") {
  compare("cli_explanation.txt", explanationText(body("cli_explanation.json")));
  CHECK(*explanationText(R"({"id":"x","lines":[]})") == "Nothing is known about it.\n");
}

TEST_CASE("a policy as a person sees it", "[golden]") {
  compareTable("cli_policy.txt", policyText(body("cli_policy.json")));
}

TEST_CASE("switches as a person sees them", "[golden]") {
  CHECK(*maintenanceText(R"({"host":"x","maintenance":true})", "be\x1bta") ==
        "be\\x1bta is in maintenance: it takes no VM, and plans move its VMs away.\n");
  CHECK(*maintenanceText(R"({"host":"x","maintenance":false})", "beta") ==
        "beta is out of maintenance.\n");
  CHECK(*automationText(R"({"on":true,"said_by":"configuration","since":null})", kNow) ==
        "Automation is on: virtseer carries out what policy allows (said by: configuration).\n");
  CHECK(
      *automationText(R"({"on":false,"said_by":"person","since":"2026-01-31T08:04:00Z"})", kNow) ==
      "Automation is off: nothing is carried out, everything is still said (said by: person, "
      "1 min 0 s ago).\n");
}

TEST_CASE("operations as a person sees them", "[golden]") {
  compare("cli_operations.txt", operationsTable(body("cli_operations.json"), kNow));
  CHECK(*operationsTable(R"({"items":[],"next":null})", kNow) == "No operations.\n");
  compareTable("cli_operation.txt", operationText(body("cli_operation.json"), kNow));
  compareTable("cli_operation_running.txt",
               operationText(body("cli_operation_running.json"), kNow));
  compareTable("cli_operation_person.txt", operationText(body("cli_operation_person.json"), kNow));
}

TEST_CASE("a move that begins, is tried and is aborted, as a person sees it", "[golden]") {
  compare("cli_migrate.txt", migrateText(body("cli_migrate.json")));
  compare("cli_dry_run.txt", migrateText(body("cli_dry_run.json")));
  compare("cli_dry_run_not.txt", migrateText(body("cli_dry_run_not.json")));
  CHECK(migrateFits(body("cli_migrate.json")));
  CHECK(migrateFits(body("cli_dry_run.json")));
  CHECK_FALSE(migrateFits(body("cli_dry_run_not.json")));
  CHECK(*abortText(body("cli_operation_running.json"), false) ==
        "Operation m-41c3 is to be aborted; it is migrating now.\n");
  CHECK(*abortText(body("cli_operation_running.json"), true) ==
        "Operation m-41c3 is to end without beta, which you say is off for good.\n");
  for (const bool fenced : {false, true})
    CHECK(*abortText(body("cli_operation.json"), fenced) == "Operation m-41c2 has ended: done.\n");
}

}  // namespace virtseer::cli
