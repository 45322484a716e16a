#include "agent/sources/processes.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>

#include "agent/sampler.h"
#include "agent/sources/process_list.h"
#include "process_tree.h"

namespace virtseer::agent {
namespace {

constexpr int kIdle = 48;

/// A guest whose processes are looked at, and read, in turn only.
void putIdle(const Guest& guest) {
  for (int pid = 100; pid < 100 + kIdle; ++pid) guest.put(pid, {});
}

/// CPU clocks that the test sets; counts who asks.
struct Clocks {
  std::map<int, std::int64_t> cpu_ns;
  int asked = 0;

  ProcessClock clock() {
    return [this](std::int32_t pid) -> std::optional<std::int64_t> {
      ++asked;
      const auto known = cpu_ns.find(pid);
      if (known == cpu_ns.end()) return std::nullopt;
      return known->second;
    };
  }
};

TEST_CASE("a process is told with what it used since it was seen last") {
  Guest guest;
  guest.put(1, {.name = "init", .parent = 0, .cgroup = "0::/init.scope\n"});
  guest.put(200, {.name = "nginx",
                  .parent = 1,
                  .cpu_ticks = 50,
                  .start_ticks = 40'000,
                  .pages = 20,
                  .cgroup = Guest::unit("nginx.service"),
                  .read = 1000,
                  .user = 33});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  CHECK(processRows(reader.report()).at(200).at("cpu_cores") == "absent");

  guest.at(1010, 500);
  guest.put(200, {.name = "nginx",
                  .parent = 1,
                  .cpu_ticks = 550,
                  .start_ticks = 40'000,
                  .pages = 30,
                  .state = 'R',
                  .cgroup = Guest::unit("nginx.service"),
                  .read = 21000,
                  .written = 5000,
                  .user = 33});
  const Reading reading = reader.read(guest.nowMs());
  CHECK(processRows(reader.report()).at(200) ==
        TableRow{{"pid", "200"},
                 {"parent_pid", "1"},
                 {"name", "nginx"},
                 {"unit", "nginx.service"},
                 {"user_id", "33"},
                 {"state", "R"},
                 {"started_seconds_ago", "610"},
                 {"threads", "3"},
                 {"cpu_cores", "0.5"},
                 {"memory_bytes", std::to_string(30 * ::sysconf(_SC_PAGESIZE))},
                 {"read_bytes_per_second", "2000"},
                 {"write_bytes_per_second", "500"},
                 {"top_by", "cpu memory io"}});
  CHECK(reading.at("guest_unit_cpu_seconds_total{unit=nginx.service}") == 5);
  CHECK(reading.at("guest_unit_read_bytes_total{unit=nginx.service}") == 20000);
  CHECK(reading.at("guest_unit_write_bytes_total{unit=nginx.service}") == 5000);
  CHECK(reading.at("guest_unit_processes{unit=nginx.service}") == 1);
  CHECK(reading.at("guest_unit_memory_bytes{unit=nginx.service}") == 30 * ::sysconf(_SC_PAGESIZE));
  CHECK(reading.at("guest_processes") == 2);
}

TEST_CASE("names with brackets, line ends and control characters stay one clean name") {
  Guest guest;
  guest.put(300, {.name = "a) R 1\n(\x1b[2J", .parent = 7});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  const Reading reading = reader.read(guest.nowMs());
  const TableRow row = processRows(reader.report()).at(300);
  CHECK(row.at("name") == "a) R 1?(?[2J");
  CHECK(row.at("parent_pid") == "7");
  CHECK(reading.contains("guest_unit_processes{unit=a) R 1?(?[2J}"));
}

TEST_CASE("whose file is cut off is left out, and told once it can be read") {
  Guest guest;
  guest.put(1, {});
  guest.put(300, {});
  guest.tree.write("proc/300/stat", "300 (half) S 1 1");
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  CHECK(reader.read(guest.nowMs()).at("guest_processes") == 2);
  CHECK_FALSE(processRows(reader.report()).contains(300));
  guest.put(300, {.name = "whole"});
  guest.at(1005);
  for (int round = 0; round < 8; ++round) reader.read(guest.nowMs() + round);
  CHECK(processRows(reader.report()).at(300).at("name") == "whole");
}

TEST_CASE("without processes, or without the time, nothing is told") {
  Guest guest;
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  CHECK(reader.read().empty());
  guest.put(1, {});
  guest.tree.write("proc/uptime", "soon\n");
  CHECK(reader.read().empty());
}

TEST_CASE("an id that another process has now is another process") {
  Guest guest;
  guest.put(1, {});
  guest.put(500, {.name = "old", .cpu_ticks = 900, .cgroup = Guest::unit("a.service")});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());

  guest.at(1005, 1000);
  guest.put(500, {.name = "young",
                  .cpu_ticks = 100,
                  .start_ticks = 100'100,
                  .cgroup = Guest::unit("b.service")});
  const Reading reading = reader.read(guest.nowMs());
  const TableRow row = processRows(reader.report()).at(500);
  CHECK(row.at("name") == "young");
  CHECK(row.at("cpu_cores") == "0.25");  // 1 s of CPU time in its 4 s of life
  CHECK(reading.at("guest_unit_cpu_seconds_total{unit=a.service}") == 0);
  CHECK(reading.at("guest_unit_cpu_seconds_total{unit=b.service}") == 1);
  CHECK(reading.at("guest_unit_processes{unit=a.service}") == 0);
  CHECK(reading.at("guest_processes_started_total") == 1);
  CHECK(reading.at("guest_processes_ended_total") == 1);
}

TEST_CASE("what becomes hot out of its turn is seen in the same round") {
  for (const bool has_clocks : {false, true}) {
    CAPTURE(has_clocks);
    Guest guest;
    putIdle(guest);
    Clocks clocks;
    for (int pid = 100; pid < 100 + kIdle; ++pid) clocks.cpu_ns[pid] = 0;
    Reader reader(makeProcessesSource(has_clocks ? clocks.clock() : nullptr), guest.tree);
    for (int second = 1000; second < 1050; second += 5) {
      guest.at(second, 0);
      reader.read(guest.nowMs());
    }
    std::uint64_t busy = 0;
    // Whoever's turn it is: all of them, one after the other.
    for (int hot = 100; hot < 100 + kIdle; ++hot) {
      busy += 100;
      guest.at(1050 + (hot - 100) * 5, busy);
      guest.put(hot, {.cpu_ticks = 100});
      clocks.cpu_ns[hot] = 1'000'000'000;
      reader.read(guest.nowMs());
      const auto rows = processRows(reader.report());
      CAPTURE(hot);
      REQUIRE(rows.contains(hot));
      REQUIRE(std::stod(rows.at(hot).at("cpu_cores")) > 0.01);
    }
  }
}

TEST_CASE("idle processes are looked at in turn") {
  Guest guest;
  putIdle(guest);
  Clocks clocks;
  for (int pid = 100; pid < 100 + kIdle; ++pid) clocks.cpu_ns[pid] = 0;
  Reader reader(makeProcessesSource(clocks.clock()), guest.tree);
  reader.read(guest.nowMs());
  guest.at(1005, 0);
  reader.read(guest.nowMs());
  clocks.asked = 0;
  guest.at(1010, 0);
  reader.read(guest.nowMs());
  CHECK(clocks.asked == kIdle / 8);
}

TEST_CASE("CPU time of processes that nobody saw makes for one search, not for one each round") {
  Guest guest;
  putIdle(guest);
  Clocks clocks;
  for (int pid = 100; pid < 100 + kIdle; ++pid) clocks.cpu_ns[pid] = 0;
  Reader reader(makeProcessesSource(clocks.clock()), guest.tree);
  std::uint64_t busy = 0;
  for (int round = 0; round < 4; ++round) {
    guest.at(1000 + round * 5, busy);
    reader.read(guest.nowMs());
  }
  std::vector<int> asked;
  for (const int more : {100, 100, 100, 200}) {
    clocks.asked = 0;
    busy += static_cast<std::uint64_t>(more);
    guest.at(1020 + static_cast<int>(asked.size()) * 5, busy);
    reader.read(guest.nowMs());
    asked.push_back(clocks.asked);
  }
  CHECK(asked == std::vector<int>{kIdle, kIdle / 8, kIdle / 8, kIdle});
}

TEST_CASE("the top is the union of those that use most of each, and as long as asked for") {
  Guest guest;
  for (int i = 0; i < 9; ++i) guest.put(10 + i, {.pages = static_cast<std::uint64_t>(100 - i)});
  guest.put(20, {.pages = 1});
  guest.put(21, {.pages = 1});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.source().setTop(2);
  reader.read(guest.nowMs());
  guest.at(1010, 300);
  guest.put(11, {.cpu_ticks = 200, .pages = 99});
  guest.put(20, {.cpu_ticks = 100, .pages = 1});
  guest.put(21, {.pages = 1, .read = 10'000});
  reader.read(guest.nowMs());
  const auto rows = processRows(reader.report());
  CHECK(rows.size() == 4);
  CHECK(rows.at(10).at("top_by") == "memory");
  CHECK(rows.at(11).at("top_by").ends_with("memory"));
  CHECK(rows.contains(20));
  CHECK(rows.contains(21));

  guest.at(1020, 600);
  guest.put(11, {.cpu_ticks = 400, .pages = 99});
  guest.put(20, {.cpu_ticks = 200, .pages = 1});
  guest.put(21, {.pages = 1, .read = 20'000});
  reader.source().setTop(5);
  reader.read(guest.nowMs());
  CHECK(processRows(reader.report()).size() == 7);
  reader.source().setTop(0);
  reader.read(guest.nowMs() + 1);
  CHECK(reader.report().tables.empty());
}

TEST_CASE("a table never holds more than 64 of each, whatever is asked for") {
  Guest guest;
  for (int pid = 1; pid <= 90; ++pid) guest.put(pid, {.pages = static_cast<std::uint64_t>(pid)});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.source().setTop(1'000'000);
  for (int round = 0; round < 3; ++round) reader.read(guest.nowMs() + round);
  const auto rows = processRows(reader.report());
  CHECK(rows.size() == 64);
  CHECK_FALSE(rows.contains(26));
}

TEST_CASE("zombies and those in uninterruptible sleep are counted") {
  Guest guest;
  guest.put(1, {});
  guest.put(2, {.state = 'Z'});
  guest.put(3, {.state = 'D'});
  guest.put(4, {.state = 'D'});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  const Reading reading = reader.read(guest.nowMs());
  CHECK(reading.at("guest_processes_zombie") == 1);
  CHECK(reading.at("guest_processes_uninterruptible") == 2);
}

TEST_CASE("where the kernel does not tell I/O, its cells and series are absent") {
  Guest guest;
  guest.put(7, {.cgroup = Guest::unit("a.service"), .has_io = false});
  Reader reader(makeProcessesSource(nullptr), guest.tree);
  reader.read(guest.nowMs());
  guest.at(1005, 100);
  guest.put(7, {.cpu_ticks = 100, .cgroup = Guest::unit("a.service"), .has_io = false});
  const Reading reading = reader.read(guest.nowMs());
  CHECK(processRows(reader.report()).at(7).at("read_bytes_per_second") == "absent");
  CHECK_FALSE(reading.contains("guest_unit_read_bytes_total{unit=a.service}"));
  CHECK(reading.contains("guest_unit_cpu_seconds_total{unit=a.service}"));
}

TEST_CASE(
    "of more processes than are followed, the rest is counted, and no round goes through all") {
  Guest guest;
  const int many = static_cast<int>(ProcessList::kMostProcesses) + 500;
  // Links to one file make for the cheapest names in a directory.
  const std::string proc = guest.tree.root() + "/proc/";
  for (int pid = 1; pid <= many; ++pid)
    std::filesystem::create_hard_link(proc + "stat", proc + std::to_string(pid));
  Clocks clocks;
  Reader reader(makeProcessesSource(clocks.clock()), guest.tree);
  Reading reading;
  int rounds = 0;
  for (; rounds < 40 && !reading.contains("guest_processes"); ++rounds) {
    clocks.asked = 0;
    reading = reader.read(guest.nowMs() + rounds);
    REQUIRE(clocks.asked < 1000);
  }
  CHECK(rounds > 4);
  CHECK(reading.at("guest_processes") == many);
  CHECK(reading.at("guest_processes_unfollowed") == 500);
  CHECK(reader.source().trouble() == "500 processes beyond 16384 are only counted");
}

TEST_CASE("the kernel's clock of a process is that process's own") {
  const auto own = [] {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  const std::int64_t before = own();
  const auto told = processCpuTime(::getpid());
  const std::int64_t after = own();
  REQUIRE(told);
  CHECK(*told >= before);
  CHECK(*told <= after);
  CHECK_FALSE(processCpuTime(0x7ffffff0 >> 3));
}

TEST_CASE("the processes of the system that runs this are told") {
  std::vector<SourcePointer> sources;
  sources.push_back(makeProcessesSource());
  Sampler sampler("", std::move(sources));
  sampler.setTop(64);
  Columns columns;
  sampler.read(columns, 1000);
  CHECK(columns.names().back().metric == "guest_process_happenings_left_out_total");
  std::map<int, TableRow> seen;
  for (int round = 2; round < 20; ++round) {
    sampler.read(columns, round * 1000);
    seen.merge(processRows(sampler.report()));
  }
  REQUIRE(seen.contains(::getpid()));
  CHECK(seen.at(::getpid()).at("parent_pid") == std::to_string(::getppid()));
  CHECK(seen.at(::getpid()).at("user_id") == std::to_string(::geteuid()));
}

}  // namespace
}  // namespace virtseer::agent
