#include <catch2/catch.hpp>

#include "agent/sampler.h"
#include "agent/source.h"
#include "tree.h"

namespace virtseer::agent {
namespace {

constexpr const char* kStat =
    "cpu  300 5 120 9000 30 2 3 4 0 0\n"
    "cpu0 100 5 60 4500 10 1 2 3 0 0\n"
    "cpu1 200 0 60 4500 20 1 1 1 7 0\n"
    "intr 123456 0 9 0 0\n"
    "ctxt 99\n"
    "btime 1700000000\n"
    "processes 1234\n"
    "procs_running 3\n"
    "procs_blocked 1\n";

TEST_CASE("time of every core by mode is told in seconds") {
  Tree tree;
  tree.write("proc/stat", kStat);
  Reader reader(makeCpuSource(), tree);
  const Reading reading = reader.read();
  CHECK(reading.at("guest_cpu_seconds_total{cpu=0,mode=user}") == 1.0);
  CHECK(reading.at("guest_cpu_seconds_total{cpu=0,mode=nice}") == 0.05);
  CHECK(reading.at("guest_cpu_seconds_total{cpu=1,mode=iowait}") == 0.2);
  CHECK(reading.at("guest_cpu_seconds_total{cpu=0,mode=steal}") == 0.03);
  CHECK(reading.at("guest_procs_running") == 3);
  CHECK(reading.at("guest_procs_blocked") == 1);
  CHECK(reading.at("guest_boot_time_seconds") == 1700000000);
  CHECK(reading.at("guest_context_switches_total") == 99);
  CHECK(reading.at("guest_forks_total") == 1234);
  CHECK(reading.size() == 2 * 8 + 5);
}

TEST_CASE(
    "a core that is plugged in adds columns, one that goes is missing and comes back to them") {
  Tree tree;
  tree.write("proc/stat", kStat);
  Reader reader(makeCpuSource(), tree);
  reader.read();
  const std::size_t before = reader.columns().size();

  tree.write("proc/stat", std::string(kStat) + "cpu2 7 0 0 0 0 0 0 0 0 0\n");
  CHECK(reader.read().at("guest_cpu_seconds_total{cpu=2,mode=user}") == 0.07);
  CHECK(reader.columns().size() == before + 8);

  tree.write("proc/stat", kStat);
  CHECK_FALSE(reader.read().contains("guest_cpu_seconds_total{cpu=2,mode=user}"));
  tree.write("proc/stat", std::string(kStat) + "cpu2 9 0 0 0 0 0 0 0 0 0\n");
  CHECK(reader.read().at("guest_cpu_seconds_total{cpu=2,mode=user}") == 0.09);
  CHECK(reader.columns().size() == before + 8);
}

TEST_CASE("used memory is what is not available") {
  Tree tree;
  tree.write("proc/meminfo",
             "MemTotal:        1000 kB\nMemFree:          200 kB\nMemAvailable:     600 kB\n"
             "Buffers:           7 kB\nCached:           300 kB\nSwapCached:         9 kB\n"
             "SwapTotal:        50 kB\nSwapFree:         40 kB\nDirty:              8 kB\n");
  tree.write("proc/vmstat",
             "nr_free_pages 5\npswpin 11\npswpout 12\npgfault 1000\npgmajfault 30\n");
  const Reading reading = Reader(makeMemorySource(), tree).read();
  CHECK(reading == Reading{{"guest_memory_total_bytes", 1000 * 1024},
                           {"guest_memory_available_bytes", 600 * 1024},
                           {"guest_memory_used_bytes", 400 * 1024},
                           {"guest_memory_free_bytes", 200 * 1024},
                           {"guest_memory_buffers_bytes", 7 * 1024},
                           {"guest_memory_cached_bytes", 300 * 1024},
                           {"guest_swap_cached_bytes", 9 * 1024},
                           {"guest_memory_dirty_bytes", 8 * 1024},
                           {"guest_swap_total_bytes", 50 * 1024},
                           {"guest_swap_free_bytes", 40 * 1024},
                           {"guest_swap_in_pages_total", 11},
                           {"guest_swap_out_pages_total", 12},
                           {"guest_page_faults_total{type=minor}", 970},
                           {"guest_page_faults_total{type=major}", 30}});
}

TEST_CASE("a field that the kernel does not tell is missing, not zero") {
  Tree tree;
  tree.write("proc/meminfo", "MemTotal:  1000 kB\nMemFree:  200 kB\n");
  tree.write("proc/vmstat", "pgfault 1000\n");
  const Reading reading = Reader(makeMemorySource(), tree).read();
  CHECK(reading == Reading{{"guest_memory_total_bytes", 1000 * 1024},
                           {"guest_memory_free_bytes", 200 * 1024}});
}

TEST_CASE("whole disks are told, partitions and disks in memory are not") {
  Tree tree;
  tree.write("proc/diskstats",
             "   7       0 loop0 9 9 9 9 9 9 9 9 9 9 9\n"
             "   1       0 ram0 9 9 9 9 9 9 9 9 9 9 9\n"
             " 254       0 vda 100 1 2048 500 200 2 4096 1500 3 700 2000 6 0 52 6 30 10\n"
             " 254       1 vda1 90 1 2000 400 190 2 4000 1400 0 600 1800\n"
             "  65       0 cciss/c0d0 1 0 0 0 0 0 0 0 0 0 0\n");
  tree.write("sys/block/vda/stat", "");
  tree.write("sys/block/ram0/stat", "");
  tree.write("sys/block/cciss!c0d0/stat", "");
  Reader reader(makeDiskSource(), tree);
  const Reading reading = reader.read();
  CHECK(reading.at("guest_disk_reads_total{device=vda}") == 100);
  CHECK(reading.at("guest_disk_read_bytes_total{device=vda}") == 2048 * 512);
  CHECK(reading.at("guest_disk_read_seconds_total{device=vda}") == 0.5);
  CHECK(reading.at("guest_disk_writes_total{device=vda}") == 200);
  CHECK(reading.at("guest_disk_write_bytes_total{device=vda}") == 4096 * 512);
  CHECK(reading.at("guest_disk_write_seconds_total{device=vda}") == 1.5);
  CHECK(reading.at("guest_disk_io_in_progress{device=vda}") == 3);
  CHECK(reading.at("guest_disk_io_seconds_total{device=vda}") == 0.7);
  CHECK(reading.at("guest_disk_io_weighted_seconds_total{device=vda}") == 2);
  CHECK(reading.at("guest_disk_discards_total{device=vda}") == 6);
  CHECK(reading.at("guest_disk_discard_bytes_total{device=vda}") == 52 * 512);
  CHECK(reading.at("guest_disk_discard_seconds_total{device=vda}") == 0.006);
  CHECK(reading.at("guest_disk_flushes_total{device=vda}") == 30);
  CHECK(reading.at("guest_disk_flush_seconds_total{device=vda}") == 0.01);
  CHECK(reading.contains("guest_disk_reads_total{device=cciss/c0d0}"));
  CHECK(reading.size() == 14 + 9);
}

TEST_CASE("disks that come and go keep their columns") {
  Tree tree;
  const std::string vda = " 254 0 vda 1 0 0 0 0 0 0 0 0 0 0\n",
                    vdb = " 254 16 vdb 2 0 0 0 0 0 0 0 0 0 0\n";
  tree.write("sys/block/vda/stat", "");
  tree.write("proc/diskstats", vda);
  Reader reader(makeDiskSource(), tree);
  CHECK(reader.read().size() == 9);
  tree.write("sys/block/vdb/stat", "");
  tree.write("proc/diskstats", vdb + vda);
  CHECK(reader.read().size() == 18);
  tree.write("proc/diskstats", vdb);
  CHECK(reader.read().at("guest_disk_reads_total{device=vdb}") == 2);
  tree.write("proc/diskstats", vda + vdb);
  CHECK(reader.read().at("guest_disk_reads_total{device=vda}") == 1);
  CHECK(reader.columns().size() == 18);
}

TEST_CASE("every interface but loopback is told in both directions") {
  Tree tree;
  tree.write(
      "proc/net/dev",
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
      "drop fifo colls carrier compressed\n"
      "    lo: 500 5 0 0 0 0 0 0 500 5 0 0 0 0 0 0\n"
      "  eth0:1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n");
  const Reading reading = Reader(makeNetworkSource(), tree).read();
  CHECK(reading == Reading{{"guest_network_receive_bytes_total{device=eth0}", 1000},
                           {"guest_network_receive_packets_total{device=eth0}", 10},
                           {"guest_network_receive_errors_total{device=eth0}", 1},
                           {"guest_network_receive_drops_total{device=eth0}", 2},
                           {"guest_network_transmit_bytes_total{device=eth0}", 2000},
                           {"guest_network_transmit_packets_total{device=eth0}", 20},
                           {"guest_network_transmit_errors_total{device=eth0}", 3},
                           {"guest_network_transmit_drops_total{device=eth0}", 4}});
}

TEST_CASE("stall times are told in seconds, that of all tasks not for the processors") {
  Tree tree;
  const std::string text =
      "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n"
      "full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n";
  for (const char* resource : {"cpu", "memory", "io"})
    tree.write(std::string("proc/pressure/") + resource, text);
  const Reading reading = Reader(makePressureSource(), tree).read();
  CHECK(reading == Reading{{"guest_pressure_waiting_seconds_total{resource=cpu}", 2.5},
                           {"guest_pressure_waiting_seconds_total{resource=memory}", 2.5},
                           {"guest_pressure_waiting_seconds_total{resource=io}", 2.5},
                           {"guest_pressure_stalled_seconds_total{resource=memory}", 1},
                           {"guest_pressure_stalled_seconds_total{resource=io}", 1}});
}

TEST_CASE("load and uptime keep their decimals") {
  Tree tree;
  tree.write("proc/loadavg", "0.52 0.40 0.30 1/120 999\n");
  tree.write("proc/uptime", "12345.07 23456.00\n");
  CHECK(Reader(makeLoadSource(), tree).read() == Reading{{"guest_load1", 0.52},
                                                         {"guest_load5", 0.4},
                                                         {"guest_load15", 0.3},
                                                         {"guest_uptime_seconds", 12345.07}});
}

TEST_CASE("what is not the kernel's text sets nothing and breaks nothing") {
  Tree tree;
  const std::string hostile = std::string("cpu\ncpu0\ncpu99999999999999999999 1 2\n: : :\n\n") +
                              "cpu5 x y z\nMemTotal: kB\n" + std::string(3, '\0') +
                              "\n some total=\n";
  for (const char* path : {"proc/stat", "proc/meminfo", "proc/vmstat", "proc/diskstats",
                           "proc/net/dev", "proc/pressure/cpu", "proc/pressure/memory",
                           "proc/pressure/io", "proc/loadavg", "proc/uptime", "proc/net/snmp",
                           "proc/net/netstat", "proc/net/sockstat", "proc/self/mountinfo"})
    tree.write(path, hostile);
  for (auto& source : systemSources()) {
    // These ask elsewhere than in files, or count what they do themselves.
    if (source->name() == "agent" || source->name() == "sockets" || source->name() == "logs" ||
        source->name() == "ebpf")
      continue;
    CAPTURE(std::string(source->name()));
    CHECK(Reader(std::move(source), tree).read().empty());
  }
}

TEST_CASE("a source whose file is not there is off, with the reason, and the others are on") {
  Tree tree;
  tree.write("proc/stat", kStat);
  Sampler sampler(tree.root(), systemSources());
  const auto states = sampler.states();
  CHECK(states.at("cpu") == "on");
  CHECK(states.at("pressure") == tree.root() + "/proc/pressure/cpu: No such file or directory");
  Columns columns;
  sampler.read(columns, 0);
  for (const auto& column : columns.names())
    CHECK_FALSE(column.metric.starts_with("guest_pressure"));
}

TEST_CASE("a source that is not asked for is not read") {
  Tree tree;
  tree.write("proc/stat", kStat);
  Sampler sampler(tree.root(), systemSources());
  Columns columns;
  sampler.read(columns, 0);
  REQUIRE(columns.size() > 8);
  sampler.select(std::vector<std::string>{"agent", "unknown"});
  CHECK(sampler.states().at("cpu") == "not asked for");
  const auto values = sampler.read(columns, 0);
  std::size_t present = 0;
  for (const double value : values) present += value == value;
  CHECK(present == 4);  // resident memory is missing in this tree
}

TEST_CASE("a file larger than the first buffer is read to its end") {
  Tree tree;
  std::string text = "intr";
  for (int i = 0; i < 20000; ++i) text += " 0";
  tree.write("proc/stat", "cpu0 1 2 3 4 5 6 7 8\n" + text + "\nprocs_running 7\n");
  CHECK(Reader(makeCpuSource(), tree).read().at("guest_procs_running") == 7);
}

}  // namespace
}  // namespace virtseer::agent
