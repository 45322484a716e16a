#include "collect/host_probe.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>

#include "collect/cgroup.h"
#include "collect/host_collector.h"
#include "unit/collect/bench.h"

using namespace virtseer;
using namespace virtseer::collect;
namespace fs = std::filesystem;

namespace {

/// A recorded tree of /proc and /sys.
struct Tree {
  fs::path root;

  Tree() {
    std::string pattern = (fs::temp_directory_path() / "virtseer-tree-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()));
    root = pattern;
  }
  ~Tree() {
    std::error_code ignored;
    fs::remove_all(root, ignored);
  }
  void put(const std::string& file, const std::string& text) const {
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file, std::ios::binary) << text;
  }
  void machine() const {
    put("proc/stat",
        "cpu  10000 200 3000 400000 500 60 70 80 900 0\ncpu0 5000 100 1500 200000 250 30 35 40 450 "
        "0\n"
        "cpu1 5000 100 1500 200000 250 30 35 40 450 0\nintr 5 0 0\nctxt 77\nprocs_running 1\n");
    put("proc/meminfo",
        "MemTotal:       24684092 kB\nMemFree:         5000000 kB\nMemAvailable:   16000000 kB\n");
    put("proc/loadavg", "1.25 0.80 0.40 1/92 9077\n");
    put("proc/pressure/cpu",
        "some avg10=0.00 avg60=0.21 avg300=1.26 total=18232540\nfull avg10=0.00 avg60=0.00 "
        "avg300=0.00 total=0\n");
    put("proc/pressure/memory",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 "
        "avg300=0.00 total=500000\n");
  }
  void v2() const {
    for (const auto* group : {"", "lab", "lab/a"}) {
      const std::string base = "sys/fs/cgroup/" + std::string(group) + "/";
      put(base + "cgroup.procs", "1\n");
      put(base + "cpu.stat", "usage_usec 12500000\nuser_usec 9000000\nsystem_usec 3500000\n");
    }
    put("sys/fs/cgroup/lab/cpu.max", "120000 100000\n");
    put("sys/fs/cgroup/lab/memory.max", "4294967296\n");
    put("sys/fs/cgroup/lab/a/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/lab/a/cpuset.cpus.effective", "0-1\n");
    put("sys/fs/cgroup/lab/a/memory.max", "max\n");
    put("sys/fs/cgroup/lab/a/memory.current", "1000000000\n");
    put("sys/fs/cgroup/lab/a/memory.stat", "anon 500\nfile 600\ninactive_file 200000000\n");
    put("sys/fs/cgroup/lab/a/cpu.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\nfull avg10=0.00 avg60=0.00 "
        "avg300=0.00 total=1000000\n");
  }
  void v1() const {
    for (const auto* controller : {"cpu", "cpuacct", "cpuset", "memory", "unified"})
      for (const auto* group : {"", "lab-A"})
        put("sys/fs/cgroup/" + std::string(controller) + "/" + group + "/cgroup.procs", "1\n");
    put("sys/fs/cgroup/cpuacct/lab-A/cpuacct.usage", "7250000000\n");
    put("sys/fs/cgroup/cpu/lab-A/cpu.cfs_quota_us", "60000\n");
    put("sys/fs/cgroup/cpu/lab-A/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpuset/lab-A/cpuset.effective_cpus", "1\n");
    put("sys/fs/cgroup/memory/lab-A/memory.limit_in_bytes", "2147483648\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("sys/fs/cgroup/memory/lab-A/memory.usage_in_bytes", "900000000\n");
    put("sys/fs/cgroup/memory/lab-A/memory.stat", "cache 1\ntotal_inactive_file 100000000\n");
    put("sys/fs/cgroup/unified/lab-A/cpu.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=3000000\n");
    // Version 2 without the memory controller, as beside version 1.
    put("sys/fs/cgroup/unified/lab-A/cgroup.controllers", "");
  }
};

double value(const HostSample& sample, const std::string& metric, const std::string& label = "") {
  for (const auto& entry : sample.values) {
    if (entry.name->metric != metric) continue;
    if (label.empty() ||
        (!entry.name->labels.empty() && entry.name->labels.begin()->second == label))
      return entry.value;
  }
  return kMissing;
}

bool absent(const HostSample& sample, const std::string& metric, const std::string& label = "") {
  return std::isnan(value(sample, metric, label));
}

HostProbeOptions at(const Tree& tree, std::string cgroup = "") {
  HostProbeOptions options;
  options.root = tree.root;
  options.cgroup = std::move(cgroup);
  return options;
}

}  // namespace

TEST_CASE("the whole machine is read from /proc") {
  Tree tree;
  tree.machine();
  const auto sample = HostProbe(at(tree)).sample();
  CHECK(value(sample, "host_cpu_seconds_total", "user") == 100);
  CHECK(value(sample, "host_cpu_seconds_total", "idle") == 4000);
  CHECK(value(sample, "host_cpu_seconds_total", "steal") == Approx(0.8));
  CHECK(absent(sample, "host_cpu_seconds_total", "used"));
  CHECK(value(sample, "host_load1") == 1.25);
  CHECK(value(sample, "host_memory_available_bytes") == 16000000.0 * 1024);
  CHECK(value(sample, "host_memory_used_bytes") == 8684092.0 * 1024);
  CHECK(value(sample, "host_pressure_waiting_seconds_total", "cpu") == Approx(18.23254));
  CHECK(value(sample, "host_pressure_stalled_seconds_total", "memory") == 0.5);
  CHECK(absent(sample, "host_pressure_waiting_seconds_total", "io"));
  CHECK(sample.capacity == HostCapacity{2, 24684092ULL * 1024, "machine"});
  CHECK(sample.cpus_online == 2);
  CHECK(sample.missing.empty());
}

TEST_CASE("an empty tree gives no value and no zero") {
  Tree tree;
  const auto sample = HostProbe(at(tree)).sample();
  CHECK(sample.values.empty());
  CHECK(sample.missing.size() == 3);
}

TEST_CASE("malformed files are absent, not zero") {
  Tree tree;
  tree.machine();
  tree.put("proc/stat", "cpu  one two\n");
  tree.put("proc/meminfo", "MemTotal: lots kB\nMemAvailable 5\n");
  tree.put("proc/pressure/cpu", "some avg10=0.00\n");
  const auto sample = HostProbe(at(tree)).sample();
  CHECK(absent(sample, "host_cpu_seconds_total"));
  CHECK(absent(sample, "host_memory_used_bytes"));
  CHECK(absent(sample, "host_pressure_waiting_seconds_total", "cpu"));
}

TEST_CASE("a group of the version 2 hierarchy has its own time, memory, pressure and limits") {
  Tree tree;
  tree.machine();
  tree.v2();
  const auto sample = HostProbe(at(tree, "lab/a")).sample();
  CHECK(value(sample, "host_cpu_seconds_total", "used") == 12.5);
  CHECK(absent(sample, "host_cpu_seconds_total", "idle"));
  CHECK(value(sample, "host_memory_used_bytes") == 800000000);
  CHECK(value(sample, "host_memory_available_bytes") == 4294967296.0 - 800000000);
  CHECK(value(sample, "host_pressure_waiting_seconds_total", "cpu") == 2);
  CHECK(absent(sample, "host_pressure_waiting_seconds_total", "memory"));
  CHECK(absent(sample, "host_load1"));
  CHECK(sample.capacity == HostCapacity{1.2, 4294967296ULL, "cgroup /lab/a"});
}

TEST_CASE("a group of version 1 hierarchies takes pressure from version 2 beside them") {
  Tree tree;
  tree.machine();
  tree.v1();
  const auto sample = HostProbe(at(tree, "/lab-A")).sample();
  CHECK(value(sample, "host_cpu_seconds_total", "used") == 7.25);
  CHECK(value(sample, "host_memory_used_bytes") == 800000000);
  CHECK(value(sample, "host_pressure_waiting_seconds_total", "cpu") == 3);
  CHECK(sample.capacity == HostCapacity{0.6, 2147483648ULL, "cgroup /lab-A"});
}

TEST_CASE("configuration is over the group, and the reserve comes off") {
  Tree tree;
  tree.machine();
  tree.v1();
  auto options = at(tree, "/lab-A");
  options.cpus = 1.5;
  options.reserve_cpus = 0.5;
  options.reserve_memory_bytes = 1ULL << 30;
  CHECK(HostProbe(options).sample().capacity ==
        HostCapacity{1, 1ULL << 30, "cpus: configuration, memory: cgroup /lab-A"});
  options.memory_bytes = 512ULL << 20;
  CHECK(HostProbe(options).sample().capacity == HostCapacity{1, 0, "configuration"});
}

TEST_CASE("a control group that does not exist is said") {
  Tree tree;
  tree.machine();
  tree.v2();
  const auto sample = HostProbe(at(tree, "no/such")).sample();
  REQUIRE_FALSE(sample.faults.empty());
  CHECK(sample.faults.front() ==
        "the control group no/such does not exist: set host.cgroup to one that does, or leave it "
        "empty");
  CHECK(absent(sample, "host_cpu_seconds_total"));
}

TEST_CASE("this machine can be looked at") {
  const auto sample = HostProbe({}).sample();
  CHECK(value(sample, "host_cpu_seconds_total", "user") > 0);
  CHECK(value(sample, "host_memory_available_bytes") > 0);
  CHECK(sample.capacity.cpus >= 1);
}

TEST_CASE("the host collector writes a row at each beat and tells the capacity") {
  Tree tree;
  tree.machine();
  LoopBench bench;
  RecordedRows rows;
  ManualClock clock(kStart);
  BlockingPool pool(bench.loop.get_executor(), "test", {});
  std::optional<HostCapacity> capacity;
  HostCollector collector(bench.loop.get_executor(), clock, pool, at(tree), Millis(1000), kOther,
                          rows.sink(),
                          [&](const HostSample& sample) { capacity = sample.capacity; });
  bench.tasks.spawn("host", collector.run());
  const StreamId stream{kOther, Source::host};
  REQUIRE(bench.until([&] { return !rows.rows(stream).empty(); }));
  CHECK(rows.last(stream, "host_capacity_cpus") == 2);
  CHECK(rows.rows(stream).front().time == kStart);
  CHECK(capacity == HostCapacity{2, 24684092ULL * 1024, "machine"});
  bench.end();
  CHECK(bench.failures.empty());
}

TEST_CASE("values of the host that come by another way join its next row once, the last of each") {
  Tree tree;
  tree.machine();
  LoopBench bench;
  RecordedRows rows;
  ManualClock clock(kStart);
  BlockingPool pool(bench.loop.get_executor(), "test", {});
  HostCollector collector(bench.loop.get_executor(), clock, pool, at(tree), Millis(10), kOther,
                          rows.sink(), {});
  const SeriesName cost{"host_ebpf_cost_seconds_total", {{"part", "sched"}}, Kind::counter};
  const std::vector<NamedValue> earlier{{&cost, 1}}, later{{&cost, 2}};
  collector.add(earlier);
  collector.add(later);
  bench.tasks.spawn("host", collector.run());
  const StreamId stream{kOther, Source::host};
  REQUIRE(bench.until([&] { return !rows.rows(stream).empty(); }));
  CHECK(rows.last(stream, cost.metric) == 2);
  clock.advance(Millis(1000));
  REQUIRE(bench.until([&] { return rows.rows(stream).size() > 1; }));
  CHECK(std::isnan(rows.last(stream, cost.metric)));
  bench.end();
  CHECK(bench.failures.empty());
}

TEST_CASE("a host whose clock is set back stores nothing until it caught up, and says so once") {
  const Tree tree;
  tree.machine();
  LoopBench bench;
  ManualClock clock(kStart);
  BlockingPool pool(bench.loop.get_executor(), "probe", {1, 4, 1});
  RecordedRows rows;
  std::vector<Event> events;
  HostCollector collector(bench.loop.get_executor(), clock, pool, at(tree), Millis(100), kOther,
                          rows.sink(), {},
                          [&](Event event) { events.push_back(std::move(event)); });
  bench.tasks.spawn("host", collector.run());
  const StreamId stream{kOther, Source::host};
  REQUIRE(bench.until([&] { return !rows.rows(stream).empty(); }));
  clock.stepWall(Millis(-3'600'000));
  // A round that was under way still stores its row.
  REQUIRE(bench.until([&] { return collector.counts().late_rows >= 1; }));
  const auto before = rows.rows(stream).size();
  REQUIRE(bench.until([&] { return collector.counts().late_rows >= 3; }));
  CHECK(rows.rows(stream).size() == before);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == "clock.stepped_back");
  CHECK(events[0].entity == kOther);
  CHECK(events[0].message ==
        "the wall clock is 3600.0 s behind what is stored already, it was set back: the host's "
        "figures will not be stored until " +
            rfc3339(rows.rows(stream).back().time));
  clock.stepWall(Millis(3'600'000) + Millis(1000));
  REQUIRE(bench.until([&] { return rows.rows(stream).size() > before; }));
  CHECK(events.size() == 1);
  bench.end();
  CHECK(bench.failures.empty());
}
