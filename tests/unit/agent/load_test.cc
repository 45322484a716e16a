#include "agent/load.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <functional>

#include "agent/child.h"
#include "agent/lab.h"
#include "tree.h"

namespace virtseer::agent {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

/// Waits for something that real processes bring about.
bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    pauseMs(5);
  }
  return true;
}

/// A guest of 100 MiB available, with a disk.
struct Guest {
  Tree tree;
  LabPage page;
  LoadRunner runner;

  explicit Guest(const std::string& role = "lab")
      : runner({role, tree.root(), tree.root() + "/data"}, page.counters().work_units) {
    tree.write("proc/meminfo", "MemTotal: 999999 kB\nMemAvailable: 102400 kB\n");
    tree.write("data/.keep", "");
  }
};

TEST_CASE("a load rises linearly and then stays") {
  const Ramp ramp{10, 60};
  CHECK(ramp.share(0) == 0);
  CHECK(ramp.share(5) == 0.5);
  CHECK(ramp.share(10) == 1);
  CHECK(ramp.area(5) == Approx(1.25));
  CHECK(ramp.area(10) == Approx(5));
  CHECK(ramp.area(20) == Approx(15));
  CHECK(Ramp{0, 60}.share(0) == 1);
  CHECK(Ramp{0, 60}.area(3) == Approx(3));
}

TEST_CASE("what was held back for long is forgiven, not caught up on") {
  Pace pace({0, 100}, 2.0, 1.0);
  CHECK(pace.owed(0.25, 0) == Approx(0.5));
  CHECK(pace.owed(10, 0.5) == Approx(1.0));
  CHECK(pace.owed(10, 1.5) == Approx(0).margin(1e-9));
  CHECK(pace.owed(10.5, 1.5) == Approx(1.0));
}

TEST_CASE("one unit of work is the same everywhere") {
  CHECK(workUnit(1) == workUnit(1));
  CHECK(workUnit(1) != workUnit(3));
}

TEST_CASE("a guest in production takes on no load") {
  Guest guest("production");
  const auto state = guest.runner.order({.id = 4, .cpu_cores = 0.1, .duration_ms = 1000});
  CHECK(state == echo::LoadState{4, false, "the role of this guest is production"});
  CHECK(guest.runner.running() == 0);
}

TEST_CASE("a load that cannot be is refused with its reason, and what runs goes on") {
  Guest guest;
  REQUIRE(guest.runner.order({.id = 1, .cpu_cores = 0.01, .duration_ms = 60000}).accepted);
  CHECK(guest.runner.order({.id = 2, .memory_bytes = 81 * kMiB, .duration_ms = 1000}).reason ==
        "memory is above 80 % of what is available");
  CHECK_FALSE(guest.runner.order({.id = 3, .cpu_cores = 4097, .duration_ms = 1000}).accepted);
  CHECK_FALSE(guest.runner.order({.id = 4, .cpu_cores = 0.1}).accepted);
  std::filesystem::remove_all(guest.tree.root() + "/data");
  CHECK_FALSE(
      guest.runner.order({.id = 5, .disk_bytes_per_second = kMiB, .duration_ms = 1000}).accepted);
  CHECK(guest.runner.running() == 1);
}

TEST_CASE("a load on the processor finishes units of work, and all zero ends it") {
  Guest guest;
  const auto& units = guest.page.counters().work_units;
  REQUIRE(guest.runner.order({.id = 1, .cpu_cores = 0.2, .duration_ms = 60000}).accepted);
  CHECK(guest.runner.running() == 1);
  CHECK(eventually([&] { return units > 5; }));
  CHECK(guest.runner.order({.id = 2}).accepted);
  CHECK(guest.runner.running() == 0);
  const std::uint64_t after = units;
  pauseMs(50);
  CHECK(units == after);
}

TEST_CASE("a load ends by itself, and its child is let go") {
  Guest guest;
  REQUIRE(guest.runner.order({.id = 1, .cpu_cores = 0.05, .duration_ms = 50}).accepted);
  pid_t child = 0;
  CHECK(eventually([&] { return (child = ::waitpid(-1, nullptr, WNOHANG)) > 0; }));
  guest.runner.ended(child);
  CHECK(guest.runner.running() == 0);
}

TEST_CASE("a new load takes the place of the old one, whose memory comes back first") {
  Guest guest;
  REQUIRE(guest.runner.order({.id = 1, .memory_bytes = 16 * kMiB, .duration_ms = 60000}).accepted);
  guest.tree.write("proc/meminfo", "MemAvailable: 4096 kB\n");
  REQUIRE(guest.runner.order({.id = 2, .memory_bytes = 16 * kMiB, .duration_ms = 60000}).accepted);
  CHECK(guest.runner.running() == 1);
  CHECK_FALSE(guest.runner.order({.id = 3, .memory_bytes = 17 * kMiB, .duration_ms = 1}).accepted);
}

TEST_CASE("a load on the disk writes to a file that keeps its size") {
  Guest guest;
  const std::string file = guest.tree.root() + "/data/load";
  REQUIRE(guest.runner.order({.id = 1, .disk_bytes_per_second = 4 * kMiB, .duration_ms = 60000})
              .accepted);
  CHECK(eventually([&] {
    std::ifstream content(file, std::ios::binary);
    char byte = 0;
    return content.get(byte) && byte != 0;
  }));
  CHECK(std::filesystem::file_size(file) == 16 * kMiB);
}

TEST_CASE("the role is the hypervisor's word, and without one it is production") {
  const std::string key = "sys/firmware/qemu_fw_cfg/by_name/opt/org.virtseer/role/raw";
  for (const auto& [text, role] : std::map<std::string, std::string>{
           {"lab", "lab"}, {"shadow", "shadow"}, {"LAB", "production"}, {"", "production"}}) {
    Tree tree;
    tree.write(key, text);
    CHECK(readRole(tree.root()) == role);
  }
  Tree tree;
  CHECK(readRole(tree.root()) == "production");
  tree.write(key, std::string_view("lab\0", 4));
  CHECK(readRole(tree.root()) == "lab");
}

TEST_CASE("ticks go on from the value on the disk and reach it again") {
  Tree tree;
  tree.write("data/ticks", "00000000000000000120\n");
  LabPage page;
  LabCounters& counters = page.counters();
  counters.ticks = 3;
  DiskTicks ticks(tree.root() + "/data", counters);
  ticks.ensure();
  CHECK(counters.ticks == 123);
  CHECK(eventually([&] { return counters.disk_ticks == 123; }));
  CHECK(readFile(tree.root() + "/data/ticks") == "00000000000000000123");
}

TEST_CASE("without a disk its ticks are missing, until there is one") {
  Tree tree;
  LabPage page;
  DiskTicks ticks(tree.root() + "/data", page.counters());
  ticks.ensure();
  Reader reader(makeLabSource(page.counters()), tree);
  CHECK(reader.read() == Reading{{"guest_ticks_total", 0}, {"guest_work_units_total", 0}});
  tree.write("data/.keep", "");
  ticks.ensure();
  CHECK(reader.read().contains("guest_disk_ticks_total"));
}

}  // namespace
}  // namespace virtseer::agent
