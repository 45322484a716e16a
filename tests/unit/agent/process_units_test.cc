#include <catch2/catch.hpp>
#include <string>

#include "process_tree.h"

namespace virtseer::agent {
namespace {

std::size_t groupsOf(const Reading& reading) {
  std::size_t groups = 0;
  for (const auto& [key, value] : reading) groups += key.starts_with("guest_unit_processes{");
  return groups;
}

TEST_CASE("a unit's use never falls when a member ends") {
  Guest guest;
  const std::string unit = Guest::unit("a.service");
  guest.put(1, {});
  guest.put(10, {.cpu_ticks = 100, .cgroup = unit, .written = 100});
  guest.put(11, {.cpu_ticks = 100, .cgroup = unit});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  guest.at(1005, 300);
  guest.put(10, {.cpu_ticks = 400, .cgroup = unit, .written = 5100});
  Reading reading = reader.read(guest.nowMs());
  CHECK(reading.at("guest_unit_cpu_seconds_total{unit=a.service}") == 3);

  guest.remove(10);
  guest.at(1010, 300);
  reading = reader.read(guest.nowMs());
  CHECK(reading.at("guest_unit_cpu_seconds_total{unit=a.service}") == 3);
  CHECK(reading.at("guest_unit_write_bytes_total{unit=a.service}") == 5000);
  CHECK(reading.at("guest_unit_processes{unit=a.service}") == 1);

  guest.remove(11);
  guest.at(1015, 300);
  reading = reader.read(guest.nowMs());
  CHECK(reading.at("guest_unit_cpu_seconds_total{unit=a.service}") == 3);
  CHECK(reading.at("guest_unit_processes{unit=a.service}") == 0);
  CHECK(reading.at("guest_unit_memory_bytes{unit=a.service}") == 0);
}

TEST_CASE("children that came and went between rounds are in their unit's use, seen ones once") {
  Guest guest;
  const std::string unit = Guest::unit("build.service");
  guest.put(1, {});
  guest.put(10, {.name = "make", .children_ticks = 1000, .cgroup = unit});
  guest.put(11, {.parent = 10, .cpu_ticks = 50, .cgroup = unit});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  guest.at(1005, 100);
  guest.put(11, {.parent = 10, .cpu_ticks = 150, .cgroup = unit});
  CHECK(reader.read(guest.nowMs()).at("guest_unit_cpu_seconds_total{unit=build.service}") == 1);

  // 11 used another 0.2 s until its end, and one that was never seen 0.7 s.
  guest.remove(11);
  guest.put(10, {.name = "make", .children_ticks = 1000 + 170 + 70, .cgroup = unit});
  guest.at(1010, 190);
  CHECK(reader.read(guest.nowMs()).at("guest_unit_cpu_seconds_total{unit=build.service}") == 1.9);
}

TEST_CASE("processes without a unit are told by their names, those of the kernel as one") {
  Guest guest;
  guest.put(2, {.name = "kthreadd", .of_kernel = true});
  guest.put(3, {.name = "kworker/0:1", .of_kernel = true});
  guest.put(10, {.name = "busybox"});
  guest.put(11, {.name = "busybox"});
  const Reading reading = Reader(makeProcessesSource(nullptr), guest.tree).read(guest.nowMs());
  CHECK(reading.at("guest_unit_processes{unit=kernel}") == 2);
  CHECK(reading.at("guest_unit_processes{unit=busybox}") == 2);
  CHECK(groupsOf(reading) == 2);
}

TEST_CASE("units made on the fly are one series by kind") {
  Guest guest;
  guest.put(10, {.cgroup = "0::/user.slice/user-0.slice/session-1.scope\n"});
  guest.put(11, {.cgroup = "0::/user.slice/user-0.slice/session-22.scope\n"});
  guest.put(12, {.cgroup = "0::/system.slice/run-r0a1b2c.scope\n"});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  const Reading reading = reader.read(guest.nowMs());
  CHECK(reading.at("guest_unit_processes{unit=session.scope}") == 2);
  CHECK(reading.at("guest_unit_processes{unit=run.scope}") == 1);
  CHECK(processRows(reader.report()).at(11).at("unit") == "session-22.scope");
}

TEST_CASE("units are bounded in one run, names leave them room, and the rest is one") {
  Guest guest;
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  Reading reading;
  int pid = 10;
  for (int batch = 0; batch < 20; ++batch) {
    for (int i = 0; i < 20; ++i, ++pid) guest.put(pid, {.name = "name" + std::to_string(pid)});
    reading = reader.read(guest.nowMs() + batch);
    for (int gone = pid - 20; gone < pid; ++gone) guest.remove(gone);
  }
  CHECK(groupsOf(reading) == 24 + 1);
  CHECK(reading.at("guest_unit_processes{unit=other}") == 20);
  for (int batch = 20; batch < 40; ++batch) {
    for (int i = 0; i < 20; ++i, ++pid)
      guest.put(pid, {.cgroup = Guest::unit("u" + std::to_string(pid) + ".service")});
    reading = reader.read(guest.nowMs() + batch);
    for (int gone = pid - 20; gone < pid; ++gone) guest.remove(gone);
  }
  CHECK(groupsOf(reading) == 48 + 1);
  CHECK(reader.columns().size() <= 49 * 5 + 7);
}

TEST_CASE("switched off and on again, what units used stays and nothing counts twice") {
  Guest guest;
  const std::string unit = Guest::unit("a.service");
  guest.put(10, {.cpu_ticks = 100, .cgroup = unit});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  guest.at(1005, 200);
  guest.put(10, {.cpu_ticks = 300, .cgroup = unit});
  reader.read(guest.nowMs());
  reader.source().select(false);
  CHECK(reader.read(guest.nowMs()).empty());
  reader.source().select(true);
  guest.at(1010, 200);
  const Reading reading = reader.read(guest.nowMs());
  CHECK(reading.at("guest_unit_cpu_seconds_total{unit=a.service}") == 2);
  CHECK(reading.at("guest_unit_processes{unit=a.service}") == 1);
  CHECK(reading.at("guest_processes_started_total") == 0);
}

TEST_CASE("numbers without measure stay numbers") {
  Guest guest;
  const std::uint64_t most = UINT64_MAX;
  for (int pid = 10; pid < 40; ++pid) guest.put(pid, {.parent = 10});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  guest.at(1005, most);
  for (int pid = 10; pid < 40; ++pid)
    guest.put(pid, {.parent = 10,
                    .cpu_ticks = most / 2,
                    .children_ticks = most / 2,
                    .pages = most,
                    .read = most,
                    .written = most});
  for (int round = 0; round < 9; ++round) reader.read(guest.nowMs() + round);
  for (int pid = 11; pid < 40; ++pid) guest.remove(pid);
  guest.put(10, {.cpu_ticks = 1, .start_ticks = most});
  CHECK(reader.read(guest.nowMs() + 9).at("guest_processes") == 1);
}

}  // namespace
}  // namespace virtseer::agent
