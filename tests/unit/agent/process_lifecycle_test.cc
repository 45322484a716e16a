#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "process_tree.h"

namespace virtseer::agent {
namespace {

/// "kind pid" of each happening of the last round.
std::vector<std::string> told(const Reader& reader) {
  std::vector<std::string> told;
  for (const auto& happening : reader.report().happenings)
    told.push_back(happening.kind + " " + happening.fields.at("pid"));
  return told;
}

using Told = std::vector<std::string>;

TEST_CASE("what runs already when the agent begins is no news") {
  Guest guest;
  guest.put(1, {});
  guest.put(50, {.parent = 1, .cgroup = Guest::unit("a.service")});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  CHECK(told(reader).empty());
}

TEST_CASE("the beginning and the end of a unit's main process are told, those of its workers not") {
  Guest guest;
  guest.put(1, {});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());

  const std::string unit = Guest::unit("nginx.service");
  guest.put(50, {.name = "nginx", .parent = 1, .start_ticks = 100'300, .cgroup = unit});
  guest.put(51,
            {.name = "nginx", .parent = 50, .start_ticks = 100'301, .pages = 0, .cgroup = unit});
  guest.at(1005, 0);
  const Reading reading = reader.read(guest.nowMs());
  CHECK(told(reader) == Told{"guest.process_started 50"});
  const echo::Happening started = reader.report().happenings.at(0);
  CHECK(started.mono_ms == 1'003'000);
  CHECK(started.message == "nginx (process 50 of nginx.service) started");
  CHECK(started.fields.at("unit") == "nginx.service");
  CHECK(started.fields.at("parent_pid") == "1");
  CHECK(reading.at("guest_processes_started_total") == 2);

  guest.remove(50);
  guest.remove(51);
  guest.at(1010, 0);
  CHECK(reader.read(guest.nowMs()).at("guest_processes_ended_total") == 2);
  CHECK(told(reader) == Told{"guest.process_ended 50"});
}

TEST_CASE("a main process that another one follows is told as a restart") {
  Guest guest;
  const std::string unit = Guest::unit("db.service");
  guest.put(1, {});
  guest.put(50, {.parent = 1, .cgroup = unit});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());

  SECTION("at once") {
    guest.remove(50);
    guest.put(60, {.parent = 1, .start_ticks = 100'300, .cgroup = unit});
    guest.at(1005);
    reader.read(guest.nowMs());
    CHECK(told(reader) == Told{"guest.process_restarted 60"});
    CHECK(reader.report().happenings.at(0).fields.at("previous_pid") == "50");
  }
  SECTION("under the same id") {
    guest.put(50, {.parent = 1, .start_ticks = 100'300, .cgroup = unit});
    guest.at(1005);
    for (int round = 0; round < 2; ++round) {
      reader.read(guest.nowMs() + round);
      if (!reader.report().happenings.empty()) break;
    }
    CHECK(told(reader) == Told{"guest.process_restarted 50"});
  }
  SECTION("soon after its end") {
    guest.remove(50);
    guest.at(1005);
    reader.read(guest.nowMs());
    CHECK(told(reader) == Told{"guest.process_ended 50"});
    guest.put(60, {.parent = 1, .start_ticks = 100'800, .cgroup = unit});
    guest.at(1010);
    reader.read(guest.nowMs());
    CHECK(told(reader) == Told{"guest.process_restarted 60"});
  }
  SECTION("but not long after it") {
    guest.remove(50);
    guest.at(1005);
    reader.read(guest.nowMs());
    guest.put(60, {.parent = 1, .start_ticks = 109'900, .cgroup = unit});
    guest.at(1100);
    reader.read(guest.nowMs());
    CHECK(told(reader) == Told{"guest.process_started 60"});
  }
}

TEST_CASE("a process that systemd is about to become a unit's is told as what it becomes") {
  Guest guest;
  guest.put(1, {.name = "systemd", .parent = 0, .cgroup = "0::/init.scope\n"});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  guest.put(50,
            {.name = "(nginx)", .parent = 1, .start_ticks = 100'400, .cgroup = "0::/init.scope\n"});
  guest.at(1005);
  reader.read(guest.nowMs());
  CHECK(told(reader).empty());
  guest.put(50, {.name = "nginx",
                 .parent = 1,
                 .start_ticks = 100'400,
                 .cgroup = Guest::unit("nginx.service")});
  guest.at(1010);
  const Reading reading = reader.read(guest.nowMs());
  CHECK(told(reader) == Told{"guest.process_started 50"});
  CHECK(reader.report().happenings.at(0).fields.at("unit") == "nginx.service");
  CHECK(reading.at("guest_unit_processes{unit=nginx.service}") == 1);
  CHECK(reading.at("guest_unit_processes{unit=init.scope}") == 1);
}

TEST_CASE("one among the top is told once it lasts, and so is its end; a short-lived one is not") {
  Guest guest;
  guest.put(1, {});
  guest.put(10, {.parent = 1, .cgroup = Guest::unit("cron.service")});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());

  const std::string unit = Guest::unit("cron.service");
  guest.put(70, {.parent = 10, .start_ticks = 100'400, .pages = 5000, .cgroup = unit});
  guest.put(71, {.parent = 10, .start_ticks = 100'400, .pages = 5000, .cgroup = unit});
  guest.at(1005);
  reader.read(guest.nowMs());
  guest.remove(71);
  for (const int second : {1010, 1065}) {
    guest.at(second);
    reader.read(guest.nowMs());
    CHECK(told(reader).empty());
  }
  guest.at(1070);
  reader.read(guest.nowMs());
  CHECK(told(reader) == Told{"guest.process_started 70"});
  CHECK(reader.report().happenings.at(0).mono_ms == 1'004'000);
  guest.remove(70);
  guest.at(1075);
  reader.read(guest.nowMs());
  CHECK(told(reader) == Told{"guest.process_ended 70"});
}

TEST_CASE("a round tells 16 of them at most, and counts the others") {
  Guest guest;
  guest.put(1, {});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  for (int pid = 100; pid < 130; ++pid)
    guest.put(pid, {.parent = 1,
                    .start_ticks = 100'400,
                    .cgroup = Guest::unit(std::to_string(pid) + ".service")});
  guest.at(1005);
  const Reading reading = reader.read(guest.nowMs());
  CHECK(reader.report().happenings.size() == 16);
  CHECK(reading.at("guest_process_happenings_left_out_total") == 14);
}

}  // namespace
}  // namespace virtseer::agent
