#include "cli/tables.h"

#include <catch2/catch.hpp>

#include "golden/cli/golden_tables.h"

namespace virtseer::cli {
namespace {

const Timestamp kNow = *parseRfc3339("2026-01-31T08:05:00Z");

}  // namespace

TEST_CASE("status as a person sees it", "[golden]") {
  compare("cli_status.txt", statusText(body("cli_health.json"), kNow));
  compare("cli_status_degraded.txt", statusText(body("cli_health_degraded.json"), kNow));
}

TEST_CASE("hosts as a person sees them", "[golden]") {
  compareTable("cli_hosts.txt", hostsTable(body("cli_hosts.json"), kNow));
}

TEST_CASE("VMs as a person sees them", "[golden]") {
  compareTable("cli_vms.txt", vmsTable(body("cli_vms.json"), 100));
  compare("cli_vms_pipe.txt", vmsTable(body("cli_vms.json")));
  compareTable("cli_vms_none.txt", vmsTable(body("cli_vms_none.json")));
}

TEST_CASE("one VM as a person sees it", "[golden]") {
  compare("cli_vm.txt", vmText(body("cli_vm.json"), kNow));
  compare("cli_vm_bare.txt", vmText(body("cli_vm_bare.json"), kNow));
}

TEST_CASE("series as a person sees them", "[golden]") {
  compare("cli_series_names.txt", seriesNamesTable(body("cli_series_names.json")));
  compare("cli_series.txt", seriesTable(body("cli_series.json")));
}

TEST_CASE("events as a person sees them", "[golden]") {
  compare("cli_events.txt", eventsTable(body("cli_events.json")));
  CHECK(*eventsTable(R"({"items":[],"next":null})") == "No events.\n");
  CHECK(*eventsTable(R"({"items":[],"next":"17"})") ==
        "None among the newest.\nOlder events: --before 17\n");
}

TEST_CASE("a load order as a person sees it", "[golden]") {
  compare("cli_load.txt", loadText(body("cli_load.json"), "web-1", Millis(90'000)));
  compare("cli_load_stop.txt", loadText(body("cli_load.json"), "web-1", Millis(0)));
}

}  // namespace virtseer::cli
