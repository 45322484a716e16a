#include "agent/sources/log_digest.h"

#include <catch2/catch.hpp>
#include <string>

#include "tree.h"

namespace virtseer::agent {
namespace {

LogEntry entryOf(std::string_view message, int priority = kErrorPriority,
                 std::string_view unit = "a.service") {
  LogEntry entry;
  entry.message = message;
  entry.priority = priority;
  entry.unit = unit;
  entry.identifier = "a";
  entry.pid = "7";
  return entry;
}

LogEntry kernelEntry(std::string_view message, std::int64_t us, int priority = kErrorPriority) {
  LogEntry entry;
  entry.kernel = true;
  entry.message = message;
  entry.priority = priority;
  entry.kernel_us = us;
  return entry;
}

/// What a digest reports, round by round.
struct Rounds {
  LogDigest digest;
  Columns columns;
  Row row;
  Scratch scratch;
  ReportBuilder builder;

  const std::vector<echo::Happening>& report(std::int64_t now_ms) {
    row.clear();
    builder.clear();
    Round round{columns, row, scratch, builder, now_ms};
    digest.report(round);
    return builder.report().happenings;
  }
  double value(std::string_view key) {
    const auto values = row.values(columns.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      if (keyOf(columns.names()[i]) == key) return values[i];
    return -1;
  }
};

constexpr const char* kErrors = "guest_log_entries_total{priority=error}";
constexpr const char* kWarnings = "guest_log_entries_total{priority=warning}";
constexpr const char* kSuppressed = "guest_log_entries_suppressed_total";
constexpr const char* kOom =
    "Out of memory: Killed process 5 (java) total-vm:9kB, anon-rss:4kB, file-rss:0kB";

TEST_CASE("entries that differ in numbers alone are one happening with a count") {
  Rounds rounds;
  LogEntry first = entryOf("request 1 failed"), last = entryOf("request 22 failed");
  first.mono_us = 3'000'000;
  last.mono_us = 4'000'000;
  rounds.digest.take(first, 0, 5000);
  rounds.digest.take(last, 0, 5000);
  rounds.digest.take(entryOf("request 3 failed", kErrorPriority, "b.service"), 0, 5000);
  const auto& told = rounds.report(5000);
  REQUIRE(told.size() == 2);
  CHECK(told[0].kind == "guest.log");
  CHECK(told[0].severity == echo::HappeningSeverity::error);
  CHECK(told[0].count == 2);
  CHECK(told[0].mono_ms == 4000);
  CHECK(told[0].message == "request 1 failed");
  CHECK(told[0].fields ==
        std::map<std::string, std::string>{
            {"unit", "a.service"}, {"identifier", "a"}, {"pid", "7"}, {"priority", "err"}});
  CHECK(told[1].fields.at("unit") == "b.service");
  CHECK(told[1].mono_ms == 5000);
  CHECK(rounds.value(kErrors) == 3);
  CHECK(rounds.value(kWarnings) == 0);
  CHECK(rounds.report(10'000).empty());
}

TEST_CASE("what is neither warning nor error nor of a known kind is not told") {
  Rounds rounds;
  rounds.digest.take(entryOf("fine", kInfoPriority), 0, 1000);
  rounds.digest.take(entryOf("low", kWarningPriority), 0, 1000);
  rounds.digest.take(kernelEntry("a[5]: segfault at 0 ip", 900'000, kInfoPriority), 0, 1000);
  const auto& told = rounds.report(1000);
  REQUIRE(told.size() == 2);
  CHECK(told[0].severity == echo::HappeningSeverity::warning);
  CHECK(told[1].kind == "guest.crash");
  CHECK(rounds.value(kErrors) == 0);
  CHECK(rounds.value(kWarnings) == 1);
  CHECK(rounds.value("guest_crashes_total") == 1);
}

TEST_CASE("a flood is told in part, counted in full, and leaves room for what is known") {
  Rounds rounds;
  for (int i = 0; i < 1000; ++i)
    rounds.digest.take(entryOf("flood " + std::string(1 + i % 500, 'x')), 0, 1000);
  rounds.digest.take(kernelEntry(kOom, 900'000), 0, 1000);
  const auto& told = rounds.report(1000);
  CHECK(told.size() == 15);
  CHECK(told.back().kind == "guest.oom_kill");
  CHECK(rounds.value(kErrors) == 1001);
  CHECK(rounds.value(kSuppressed) == 1000 - 14 * 2);
}

TEST_CASE("over time fewer happenings are told than in a burst, and more again later") {
  Rounds rounds;
  std::size_t told = 0;
  std::int64_t now = 0;
  const auto flood = [&] {
    for (int i = 0; i < 30; ++i) rounds.digest.take(entryOf(std::string(1 + i, 'x')), 0, now);
    return rounds.report(now).size();
  };
  for (int i = 0; i < 12; ++i, now += 5000) told += flood();  // a minute
  CHECK(told >= 60);
  CHECK(told <= 60 + 30);
  CHECK(flood() <= 3);
  now += 600'000;
  CHECK(flood() <= 3);  // tokens are added at the end of a round
  CHECK(flood() == 14);
}

TEST_CASE("a kill for memory tells process, unit and size, and its dump is not told") {
  Rounds rounds;
  auto& digest = rounds.digest;
  digest.take(
      kernelEntry("java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0", 1'000'000, 4), 0,
      2000);
  digest.take(kernelEntry("CPU: 0 PID: 5 Comm: java Not tainted", 1'000'100, 4), 0, 2000);
  digest.take(kernelEntry("Mem-Info:", 1'000'200, 4), 0, 2000);
  digest.take(
      kernelEntry(
          "oom-kill:constraint=CONSTRAINT_NONE,task_memcg=/system.slice/j.service,task=java,pid=5",
          1'000'300, 6),
      0, 2000);
  digest.take(kernelEntry(kOom, 1'000'400), 0, 2000);
  digest.take(kernelEntry("device went away", 3'000'000, 4), 0, 2000);
  const auto& told = rounds.report(2000);
  REQUIRE(told.size() == 2);
  CHECK(told[0].kind == "guest.oom_kill");
  CHECK(told[0].fields ==
        std::map<std::string, std::string>{
            {"process", "java"}, {"pid", "5"}, {"unit", "j.service"}, {"rss_bytes", "4096"}});
  CHECK(told[1].message == "device went away");
  CHECK(told[1].fields.at("identifier") == "kernel");
  CHECK(rounds.value(kWarnings) == 4);
  CHECK(rounds.value(kSuppressed) == 3);
}

TEST_CASE("one fault of the kernel is one happening, whatever lines follow") {
  Rounds rounds;
  auto& digest = rounds.digest;
  digest.take(kernelEntry("BUG: kernel NULL pointer dereference, address: 08", 1'000'000, 1), 0,
              9000);
  digest.take(kernelEntry("#PF: supervisor read access in kernel mode", 1'000'010, 1), 0, 9000);
  digest.take(kernelEntry("Oops: 0000 [#1] PREEMPT SMP", 1'000'020, 4), 0, 9000);
  digest.take(kernelEntry("Call Trace:", 1'000'030, 4), 0, 9000);
  digest.take(kernelEntry("Kernel panic - not syncing: Fatal exception", 1'000'040, 0), 0, 9000);
  digest.take(kernelEntry("INFO: task a:1 blocked for more than 120 seconds.", 5'000'000), 0, 9000);
  digest.take(kernelEntry("INFO: task b:2 blocked for more than 120 seconds.", 5'000'010), 0, 9000);
  digest.take(kernelEntry("WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:5 a+0x1", 7'000'000, 4), 0,
              9000);
  digest.take(kernelEntry("Modules linked in: a", 7'000'010, 4), 0, 9000);
  const auto& told = rounds.report(9000);
  REQUIRE(told.size() == 5);
  CHECK(told[0].message == "BUG: kernel NULL pointer dereference, address: 08");
  CHECK(told[1].message == "Kernel panic - not syncing: Fatal exception");
  CHECK(told[2].fields.at("process") == "a");
  CHECK(told[4].kind == "guest.log");
  CHECK(rounds.value("guest_kernel_faults_total") == 4);
}

TEST_CASE("a crash that kernel and systemd-coredump both tell is one crash") {
  Rounds rounds;
  LogEntry core = entryOf("Process 5 (app) of user 33 dumped core.\n\nStack trace of thread 5:", 2,
                          "systemd-coredump@1-9-0.service");
  core.message_id = "fc2e22bc6ee647b6b90729ab34a250b1";
  core.crashed_pid = "5";
  core.crashed_process = "app";
  core.crashed_unit = "app.service";
  core.signal = "SIGSEGV";
  rounds.digest.take(kernelEntry("app[5]: segfault at 0 ip 0", 900'000, kInfoPriority), 0, 1000);
  rounds.digest.take(core, 0, 1000);
  const auto& told = rounds.report(1000);
  REQUIRE(told.size() == 1);
  CHECK(told[0].fields.at("unit") == "app.service");
  CHECK(rounds.value("guest_crashes_total") == 1);

  core.crashed_pid = "6";  // another one, of which the kernel says nothing
  rounds.digest.take(core, 0, 2000);
  REQUIRE(rounds.report(2000).size() == 1);
  CHECK(rounds.builder.report().happenings[0].message == "Process 5 (app) of user 33 dumped core.");
  CHECK(rounds.value("guest_crashes_total") == 2);
}

TEST_CASE("what the kernel told before the start is told once with its age, and not counted") {
  Rounds rounds;
  rounds.digest.takePast(kernelEntry("ordinary error", 500'000));
  rounds.digest.takePast(kernelEntry("a[5]: segfault at 0 ip", 600'000, kInfoPriority));
  rounds.digest.takePast(kernelEntry(kOom, 60'000'000));
  for (int i = 0; i < 20; ++i)
    rounds.digest.takePast(kernelEntry(
        "INFO: task " + std::string(1 + i, 'x') + ":1 blocked for more than 120 seconds.",
        70'000'000 + i));
  const auto& told = rounds.report(100'000);
  REQUIRE(told.size() == 8);
  CHECK(told[0].mono_ms == 70'000);
  CHECK(told[0].fields.at("age_seconds") == "30");
  CHECK(told[7].fields.at("process") == std::string(20, 'x'));
  CHECK(rounds.value("guest_kernel_faults_total") == 0);
  CHECK(rounds.value(kErrors) == 0);
  CHECK(rounds.report(200'000).empty());
}

TEST_CASE("times lie between the round before and now, whatever the entry claims") {
  Rounds rounds;
  rounds.digest.take(kernelEntry("early", 1'000'000), 4000, 5000);
  rounds.digest.take(kernelEntry("late", 99'000'000), 4000, 5000);
  rounds.digest.take(kernelEntry("right", 4'500'000), 4000, 5000);
  const auto& told = rounds.report(5000);
  REQUIRE(told.size() == 3);
  CHECK(told[0].mono_ms == 4000);
  CHECK(told[1].mono_ms == 5000);
  CHECK(told[2].mono_ms == 4500);
}

TEST_CASE("what finds no room in a report is told in a later one") {
  Rounds rounds;
  rounds.digest.take(entryOf("waits"), 0, 1000);
  Round round{rounds.columns, rounds.row, rounds.scratch, rounds.builder, 1000};
  for (std::size_t i = 0; i < echo::kMaxHappenings; ++i)
    REQUIRE(rounds.builder.happened({.kind = "guest.other", .message = {}, .fields = {}}));
  rounds.digest.report(round);
  const auto& told = rounds.report(2000);
  REQUIRE(told.size() == 1);
  CHECK(told[0].message == "waits");
}

TEST_CASE("errors of two disks are two happenings") {
  Rounds rounds;
  rounds.digest.take(kernelEntry("I/O error, dev vda1, sector 8 op 0x0", 10), 0, 1000);
  rounds.digest.take(kernelEntry("I/O error, dev vda2, sector 9 op 0x0", 20), 0, 1000);
  rounds.digest.take(kernelEntry("I/O error, dev vda1, sector 16 op 0x0", 30), 0, 1000);
  const auto& told = rounds.report(1000);
  REQUIRE(told.size() == 2);
  CHECK(told[0].count == 2);
  CHECK(told[0].fields.at("device") == "vda1");
  CHECK(rounds.value("guest_io_errors_total") == 3);
}

}  // namespace
}  // namespace virtseer::agent
