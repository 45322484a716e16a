#pragma once

#include "fake_backend.h"
#include "support/fake_decisions.h"

/// What was foreseen, decided and done, with every member filled.
namespace virtseer::api {

inline Contention sampleContention() {
  return {.probability = 0.91,
          .until = Millis(240'000),
          .probability_then = 0.62,
          .already = true,
          .shortage_cpus = 0.75,
          .mean_cpus = 7.5};
}

inline ForecastAnswer sampleForecast() {
  const Outlook outlook{.point = 1.5,
                        .by = Forecaster::damped_trend,
                        .quantiles = {.p50 = 1.5, .p80 = 1.75, .p95 = 2.25, .p99 = 3},
                        .calibration = Calibration::own,
                        .outcomes = 64};
  const TargetRecord target{
      .promised = {4, 4, 4, 4}, .held = {2, 3, 4, 4}, .absolute_error = 1, .recent = 0b0111};
  ForecastView view{.forecast = {.vm = uuidOf(2),
                                 .resource = Resource::cpu,
                                 .made = at("2026-01-31T08:05:00.000Z"),
                                 .horizon = Millis(900'000),
                                 .level = outlook,
                                 .peak = outlook,
                                 .note = "the guest was restarted"},
                    .record = {.scored = 4, .unscored = 1, .level = target, .peak = target}};
  view.forecast.peak.quantiles.p99.reset();
  return {.vm = uuidOf(2),
          .vm_name = "web",
          .forecasts = {view},
          .missing = {"memory: no demand seen yet"}};
}

inline PlanStep sampleStep() {
  return {.id = "p-7.1",
          .state = StepState::holding,
          .cause = StepCause::contention,
          .vm = uuidOf(2),
          .vm_name = "web",
          .from = uuidOf(1),
          .from_name = "alpha",
          .to = uuidOf(9),
          .to_name = "beta",
          .from_before = sampleContention(),
          .from_after = sampleContention(),
          .to_before = sampleContention(),
          .to_after = sampleContention(),
          .relief = 0.5,
          .cost = {.memory_bytes = 1u << 30,
                   .disk_bytes = 2,
                   .duration = Millis(12'000),
                   .downtime = Millis(120),
                   .converges = true,
                   .dirty_rate_known = true},
          .score = 0.75,
          .parts = {{.name = "room", .weight = 0.5, .value = 1, .words = "4 cores are free"}},
          .cpus = 2.5,
          .memory_bytes = 1u << 30,
          .mode = Mode::automatic,
          .executable = false,
          .held_back = "held for 1 of 3 rounds",
          .reasons = {"alpha runs short in 4 min"},
          .counterfactuals = {"with 2 more cores it could stay"}};
}

inline Plan samplePlan() {
  return {.id = "p-7",
          .made = at("2026-01-31T08:05:00.250Z"),
          .round = 7,
          .stopped = true,
          .verdict = "move web from alpha to beta",
          .steps = {sampleStep()},
          .hosts = {{.host = uuidOf(1),
                     .name = "alpha",
                     .capacity_cpus = 7.5,
                     .contention = sampleContention(),
                     .shares = {{.vm = uuidOf(2), .vm_name = "web", .share = 0.5, .mean_cpus = 3}},
                     .held_rounds = 1,
                     .vms_running = 3,
                     .vms_unforeseen = 1,
                     .maintenance = false,
                     .unusable = ""},
                    {.host = uuidOf(9),
                     .name = "beta",
                     .capacity_cpus = 7.5,
                     .contention = {},
                     .shares = {},
                     .held_rounds = 0,
                     .vms_running = 0,
                     .vms_unforeseen = 0,
                     .maintenance = true,
                     .unusable = "silent for 40 s"}},
          .rejected = {{.vm = uuidOf(3),
                        .vm_name = "db",
                        .host = uuidOf(9),
                        .host_name = "beta",
                        .why = Refusal::memory,
                        .words = "2 GiB are missing",
                        .would = "with 2 GiB more"}},
          .rejected_more = 3,
          .reasons = {"alpha runs short"},
          .counterfactuals = {"with 2 more cores nothing would move"}};
}

inline RankedHost sampleRanked() {
  return {.host = uuidOf(9),
          .name = "beta",
          .current = false,
          .excluded = {{.why = Refusal::cpu,
                        .words = "lacks avx512f",
                        .would = "without avx512f",
                        .advice = true}},
          .score = 0.25,
          .parts = sampleStep().parts,
          .before = sampleContention(),
          .after = sampleContention(),
          .cost = sampleStep().cost};
}

inline Operation sampleOperation() {
  Operation out;
  out.id = "op-1";
  out.state = OperationState::migrating;
  out.origin = OperationOrigin::plan;
  out.plan_step = "p-7.1";
  out.return_of = "op-0";
  out.vm = uuidOf(2);
  out.vm_name = "web";
  out.from = uuidOf(1);
  out.from_name = "alpha";
  out.to = uuidOf(9);
  out.to_name = "beta";
  out.cpus = 2.5;
  out.memory_bytes = 1u << 30;
  out.created = out.updated = at("2026-01-31T08:05:01.000Z");
  out.ended = at("2026-01-31T08:05:09.000Z");
  out.message = "web moves to beta";
  out.advice = {"wait"};
  out.reasons = {"alpha runs short"};
  out.steps = {{.state = OperationState::planned, .at = out.created, .note = "as planned"}};
  out.progress = {.fraction = 0.5,
                  .processed_bytes = 1,
                  .remaining_bytes = 2,
                  .total_bytes = 3,
                  .iteration = 4,
                  .elapsed = Millis(5),
                  .dirty_bytes_per_s = 6,
                  .bytes_per_s = 7,
                  .downtime = Millis(8)};
  out.duration = Millis(12'000);
  out.downtime = Millis(120);
  out.before = Wellbeing{.agent = true,
                         .echo_age = Millis(900),
                         .cpu_cores = 1,
                         .cpu_delay_cores = 0.5,
                         .work_units_per_s = 10,
                         .ticks = 99,
                         .io_errors = 1};
  out.after = out.before;
  out.record.definition = "<domain>secret</domain>";
  return out;
}

inline Reservation sampleReservation() {
  return {.id = "r-1",
          .operation = "op-1",
          .vm = uuidOf(2),
          .vm_name = "web",
          .cpus = 2.5,
          .memory_bytes = 1u << 30,
          .expires = at("2026-01-31T08:06:00.000Z")};
}

inline PastMove sampleMove() {
  return {.from = uuidOf(1),
          .to = uuidOf(9),
          .started = at("2026-01-31T07:00:00.000Z"),
          .ended = at("2026-01-31T07:00:12.000Z"),
          .outcome = MoveOutcome::done,
          .automatic = true};
}

inline ReserveOrder sampleOrder() {
  return {.operation = "op-1",
          .dry_run = false,
          .return_of = "",
          .vm = uuidOf(2),
          .vm_name = "web",
          .from = uuidOf(1),
          .from_name = "alpha",
          .cpus = 2.5,
          .memory_bytes = 1u << 30,
          .copy_storage = true,
          .live_xml = "<domain type='kvm'/>"};
}

inline FleetState sampleState() {
  FleetState out;
  out.now = at("2026-01-31T08:05:00.000Z");
  out.host.uuid = uuidOf(1);
  out.host.name = "alpha";
  out.host.capacity = {7.5, 15u << 20, "machine"};
  out.host.as_of = out.now;
  out.host.storage = {{.id = "nfs:/images", .shared = true, .free_bytes = 5}};
  out.host.link_bytes_per_s = 1e8;
  out.host.flights = {{.operation = "op-1", .vm = uuidOf(2), .from = uuidOf(1), .to = uuidOf(9)}};
  out.host.reservations = {sampleReservation()};
  PlacedVm vm;
  vm.uuid = uuidOf(2);
  vm.name = "web";
  vm.disks = {{.storage = "nfs:/images", .bytes = 7}};
  vm.metadata = PolicyMetadata{.set = {.mode = Mode::suggest,
                                       .excluded = {},
                                       .priority = 80,
                                       .migrate = {},
                                       .copy_storage = {},
                                       .return_trip = {},
                                       .unlocked_disks = {}},
                               .fault = ""};
  vm.moves = {sampleMove()};
  out.host.vms = {vm};
  out.scenarios = {.start = out.now,
                   .step = Millis(60'000),
                   .steps = 2,
                   .paths = 1,
                   .vms = {uuidOf(2)},
                   .demand = {1.5F, 2.5F}};
  return out;
}

inline test::FakeDecisions filledDecisions() {
  test::FakeDecisions out;
  out.known_forecast = sampleForecast();
  out.known_plan = samplePlan();
  out.known_ranking = {.vm = uuidOf(2),
                       .vm_name = "web",
                       .made = at("2026-01-31T08:05:00.000Z"),
                       .stays = {{.why = Refusal::job, .words = "a backup runs", .would = "later"}},
                       .hosts = {sampleRanked()}};
  out.known_explanation = {.id = "op-1",
                           .lines = {"web moves since alpha runs short"},
                           .plan = samplePlan(),
                           .step = sampleStep(),
                           .operation = sampleOperation()};
  out.known_policy = {.vm = uuidOf(2), .vm_name = "web", .resolved = {}};
  out.known_policy.resolved.lines = {{.source = "configuration",
                                      .key = "mode",
                                      .value = "auto",
                                      .taken = false,
                                      .note = "the metadata lowers it"}};
  out.migrate_answer.operation = sampleOperation();
  out.known_operations = {sampleOperation()};
  out.answered = sampleOperation();
  out.known_automation = {
      .on = false, .said_by = "person", .since = at("2026-01-31T08:00:00.000Z")};
  out.known_state = sampleState();
  out.known_vm.presence.state = Presence::State::running;
  out.known_vm.wellbeing = *sampleOperation().before;
  out.reserve_answer = {.checks = {{.name = "memory", .held = true, .words = "8 GiB are free"}},
                        .reservation = sampleReservation()};
  out.known_reservation = sampleReservation();
  out.known_counts = {.plans = 1,
                      .rounds = 2,
                      .operations_done = 3,
                      .operations_refused = 4,
                      .operations_failed = 5,
                      .forecasts_scored = 6,
                      .forecast_points_dropped = 7,
                      .operations_active = 8,
                      .peers = 9,
                      .peers_silent = 10};
  return out;
}

inline MigrateDryRun sampleDryRun() {
  return {.vm = uuidOf(2),
          .vm_name = "web",
          .to = uuidOf(9),
          .to_name = "beta",
          .fits = true,
          .copy_storage = false,
          .checks = {{.name = "cpu", .held = true, .words = "fits"}},
          .ranked = sampleRanked()};
}

}  // namespace virtseer::api
