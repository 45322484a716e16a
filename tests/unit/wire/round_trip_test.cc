#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>

#include "unit/wire/worlds.h"
#include "wire/limits.h"
#include "wire/wire.h"

using namespace virtseer;
using namespace virtseer::wire;

namespace {

constexpr int kRounds = 300;

/// What is read from the text of `value`, and the same again from its text.
template <class T>
void mustReturn(const T& value, Result<T> (*read)(std::string_view)) {
  const auto sent = text(json(value));
  REQUIRE(sent);
  const auto back = read(*sent);
  INFO((back ? "" : back.error().message) << " in " << *sent);
  REQUIRE(back);
  REQUIRE(*back == value);
}

}  // namespace

TEST_CASE("what is written is read as it was, whatever it holds") {
  Worlds worlds(20261121);
  for (int round = 0; round < kRounds; ++round) {
    mustReturn(worlds.fleetState(), &fleetState);
    mustReturn(worlds.reserveOrder(), &reserveOrder);
    mustReturn(worlds.reserveAnswer(), &reserveAnswer);
    mustReturn(worlds.reservation(), &reservation);
    mustReturn(worlds.remoteVm(), &remoteVm);
    mustReturn(worlds.commitOrder(), &commitOrder);
    mustReturn(worlds.commitOrder().moves, &pastMoves);
  }
}

TEST_CASE("the quick text of a host's state is that of its JSON") {
  Worlds worlds(13);
  for (int round = 0; round < kRounds; ++round) {
    const auto state = worlds.fleetState();
    REQUIRE(text(state) == json(state).dump());
  }
}

TEST_CASE("an operation's record keeps all of it, its public form all but the record") {
  Worlds worlds(7);
  for (int round = 0; round < kRounds; ++round) {
    Operation told = worlds.operation();
    const auto kept = operation(*text(record(told)));
    REQUIRE(kept);
    REQUIRE(*kept == told);

    const std::string shown = *text(json(told));
    CHECK(shown.find("definition") == std::string::npos);
    const auto public_form = operation(shown);
    REQUIRE(public_form);
    told.record = {};
    CHECK(*public_form == told);
  }
}

TEST_CASE("demand is rounded to hundredths of a core and saturates") {
  FleetState state = Worlds(1).fleetState();
  state.scenarios = {};
  state.scenarios.start = state.now;
  state.scenarios.step = Millis(1000);
  state.scenarios.steps = 3;
  state.scenarios.paths = 2;
  state.scenarios.vms = {Worlds(2).uuid()};
  state.scenarios.demand = {0.004F,
                            0.006F,
                            1e9F,
                            -1.0F,
                            std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity()};
  const auto back = fleetState(*text(json(state)));
  REQUIRE(back);
  CHECK(back->scenarios.demand == std::vector<float>{0, 0.01F, 655.35F, 0, 0, 655.35F});
}

TEST_CASE("more scenarios than fit are sent as fewer of them, each whole") {
  FleetState state = Worlds(3).fleetState();
  auto& scenarios = state.scenarios;
  scenarios = {};
  scenarios.start = state.now;
  scenarios.step = Millis(1000);
  scenarios.steps = kSteps + 5;
  scenarios.paths = 5000;
  scenarios.vms = {Worlds(4).uuid()};
  for (std::size_t path = 0; path < scenarios.paths; ++path)
    for (std::size_t step = 0; step < scenarios.steps; ++step)
      scenarios.demand.push_back(static_cast<float>((path + step) % 600));

  const auto back = fleetState(*text(json(state)));

  REQUIRE(back);
  CHECK(back->scenarios.steps == kSteps);
  CHECK(back->scenarios.paths == kPaths);
  CHECK(back->scenarios.at(0, 7, 0) == 7);
  CHECK(back->scenarios.at(41, 100, 0) == 141);
}

TEST_CASE("scenarios that contradict themselves are sent as none") {
  FleetState state = Worlds(5).fleetState();
  state.scenarios = {};
  state.scenarios.start = state.now;
  state.scenarios.step = Millis(1000);
  state.scenarios.steps = 3;
  state.scenarios.paths = 2;
  state.scenarios.vms = {Worlds(6).uuid()};
  state.scenarios.demand = {1, 2, 3};
  const auto back = fleetState(*text(json(state)));
  REQUIRE(back);
  CHECK(back->scenarios.paths == 0);
  CHECK(back->scenarios.demand.empty());
}

TEST_CASE("columns without a path are read as no columns") {
  FleetState state = Worlds(11).fleetState();
  state.scenarios = {};
  Json body = json(state);
  body["scenarios"]["steps"] = 5;
  body["scenarios"]["vms"] = {Worlds(12).uuid().text()};
  const auto back = fleetState(body.dump());
  REQUIRE(back);
  CHECK(back->scenarios == state.scenarios);
}

TEST_CASE("labels become UTF-8 and stay within the bound, so that what is written can be read") {
  Operation told = Worlds(8).operation();
  told.vm_name = "db\xFF\xC0";
  told.message = std::string(200'000, '\xFF');

  const auto back = operation(*text(record(told)));

  REQUIRE(back);
  CHECK(back->vm_name == "db\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(back->message.size() <= kTextBytes);
}

TEST_CASE("a definition that is not UTF-8 is refused, never mended") {
  Operation told = Worlds(9).operation();
  told.record.definition = "<domain>\xFF</domain>";
  const auto written = text(record(told));
  REQUIRE_FALSE(written);
  CHECK(written.error().code == Code::invalid);
}

TEST_CASE("numbers that are none are written so that the rest can be read") {
  Operation told = Worlds(10).operation();
  told.cpus = std::numeric_limits<double>::quiet_NaN();
  told.progress.bytes_per_s = std::numeric_limits<double>::infinity();
  told.progress.fraction = -0.25;
  const auto back = operation(*text(record(told)));
  REQUIRE(back);
  CHECK(back->cpus == 0);
  CHECK_FALSE(back->progress.bytes_per_s);
  CHECK(back->progress.fraction == 0);
}

TEST_CASE("the text of an operation is the one that clients know") {
  Operation told;
  told.id = "op-1";
  told.state = OperationState::migrating;
  told.origin = OperationOrigin::plan, told.plan_step = "plan-7/1";
  told.vm = *Uuid::parse("11111111-2222-3333-4444-555555555555"), told.vm_name = "db-1";
  told.from = *Uuid::parse("aaaaaaaa-0000-0000-0000-000000000001"), told.from_name = "alpha";
  told.to_name = "beta";
  told.cpus = 1.5, told.memory_bytes = 1u << 30;
  told.created = *parseRfc3339("2026-01-31T08:05:00.250Z");
  told.updated = *parseRfc3339("2026-01-31T08:05:01Z");
  told.message = "copies memory", told.reasons = {"alpha will be short of CPU"};
  told.steps = {{OperationState::planned, told.created, ""}};
  told.progress = {};
  told.progress.fraction = 0.5;
  told.progress.processed_bytes = 1;
  told.progress.remaining_bytes = 2;
  told.progress.total_bytes = 3;
  told.before.emplace();
  told.before->agent = true;
  told.before->echo_age = Millis(900);
  told.before->cpu_cores = 0.75;
  told.record.definition = "<secret/>";

  CHECK(*text(json(told)) ==
        R"({"id":"op-1","kind":"migration","state":"migrating","ended_at":null,"origin":"plan",)"
        R"("plan_step":"plan-7/1","return_of":null,"vm":"11111111-2222-3333-4444-555555555555",)"
        R"("vm_name":"db-1","from":"aaaaaaaa-0000-0000-0000-000000000001","from_name":"alpha",)"
        R"("to":null,"to_name":"beta","copy_storage":false,"cpus":1.5,"memory_bytes":1073741824,)"
        R"("created":"2026-01-31T08:05:00.250Z","updated":"2026-01-31T08:05:01.000Z",)"
        R"("message":"copies memory","advice":[],"reasons":["alpha will be short of CPU"],)"
        R"("steps":[{"state":"planned","at":"2026-01-31T08:05:00.250Z","note":""}],)"
        R"("progress":{"fraction":0.5,"processed_bytes":1,"remaining_bytes":2,"total_bytes":3,)"
        R"("iteration":0,"elapsed_ms":0,"dirty_bytes_per_s":null,"bytes_per_s":null,)"
        R"("downtime_ms":null},"duration_ms":null,"downtime_ms":null,"abort_requested":false,)"
        R"("suspended":false,"confirmed":false,"before":{"agent":true,"echo_age_ms":900,)"
        R"("cpu_cores":0.75,"cpu_delay_cores":null,"work_units_per_s":null,"ticks":null,)"
        R"("io_errors":0},"after":null})");
}
