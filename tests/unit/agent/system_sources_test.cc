#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "agent/figures.h"
#include "agent/sampler.h"
#include "agent/source.h"
#include "tree.h"

/// What the sources make of two rounds, of many devices and of what is not there.
namespace virtseer::agent {
namespace {

TEST_CASE("processors beyond the hundred and twenty-eighth are told as one") {
  Tree tree;
  std::string text;
  for (int i = 0; i < 300; ++i) text += "cpu" + std::to_string(i) + " 100 0 0 200 0 0 0 0 0 0\n";
  tree.write("proc/stat", text);
  Reader reader(makeCpuSource(), tree);
  const Reading reading = reader.read();
  CHECK(reading.at("guest_cpu_seconds_total{cpu=127,mode=user}") == 1);
  CHECK_FALSE(reading.contains("guest_cpu_seconds_total{cpu=128,mode=user}"));
  CHECK(reading.at("guest_cpu_seconds_total{cpu=other,mode=user}") == 172);
  CHECK(reading.at("guest_cpu_seconds_total{cpu=other,mode=idle}") == 344);
  CHECK(reader.read() == reading);
  CHECK(reader.columns().size() == 129 * 8 + 5);
}

constexpr const char* kMeminfo =
    "MemTotal:        1000 kB\nMemFree:          200 kB\nMemAvailable:     600 kB\n"
    "Active:           300 kB\nInactive:         100 kB\nActive(anon):      10 kB\n"
    "Inactive(anon):    20 kB\nActive(file):     290 kB\nInactive(file):    80 kB\n"
    "Writeback:          3 kB\nAnonPages:         30 kB\nSlab:              40 kB\n"
    "SReclaimable:      25 kB\n";

std::string vmstat(int dirtied, int faults, int activated, int stolen, int refaults) {
  return "workingset_refault_anon " + std::to_string(refaults) +
         "\nworkingset_refault_file 10\nnr_dirtied " + std::to_string(dirtied) +
         "\nnr_written 5\npgactivate " + std::to_string(activated) + "\npgfault " +
         std::to_string(faults) + "\npgmajfault 0\npgsteal_kswapd " + std::to_string(stolen) +
         "\npgsteal_direct 7\npgscan_kswapd 11\npgscan_direct 12\noom_kill 2\n";
}

TEST_CASE("the working set is what is in use but page cache that was not touched twice") {
  Tree tree;
  tree.write("proc/meminfo", kMeminfo);
  tree.write("proc/vmstat", "");
  const Reading reading = Reader(makeMemorySource(), tree).read();
  CHECK(reading.at("guest_memory_working_set_bytes") == (1000 - 200 - 80) * 1024);
  CHECK(reading.at("guest_memory_active_ratio") == 0.75);
  CHECK(reading.at("guest_memory_writeback_bytes") == 3 * 1024);
  CHECK(reading.at("guest_memory_anonymous_bytes") == 30 * 1024);
  CHECK(reading.at("guest_memory_slab_bytes") == 40 * 1024);
  CHECK(reading.at("guest_memory_slab_reclaimable_bytes") == 25 * 1024);
  for (const auto& [name, value] : reading) CHECK(name.find("inactive_file") == name.npos);
}

TEST_CASE("shares of writes and refaults are those between two rounds") {
  Tree tree;
  tree.write("proc/meminfo", "");
  tree.write("proc/vmstat", vmstat(1000, 5000, 100, 400, 50));
  Reader reader(makeMemorySource(), tree);
  const Reading first = reader.read();
  CHECK(first.at("guest_memory_dirtied_pages_total") == 1000);
  CHECK(first.at("guest_memory_reclaimed_pages_total{by=kswapd}") == 400);
  CHECK(first.at("guest_memory_reclaimed_pages_total{by=direct}") == 7);
  CHECK(first.at("guest_memory_scanned_pages_total{by=direct}") == 12);
  CHECK(first.at("guest_memory_refaulted_pages_total{type=anonymous}") == 50);
  CHECK(first.at("guest_memory_activated_pages_total") == 100);
  CHECK(first.at("guest_oom_kills_total") == 2);
  CHECK_FALSE(first.contains("guest_memory_write_share_ratio"));
  CHECK_FALSE(first.contains("guest_memory_refault_ratio"));

  tree.write("proc/vmstat", vmstat(1030, 5100, 120, 500, 75));
  const Reading second = reader.read(5000);
  CHECK(second.at("guest_memory_write_share_ratio") == 0.25);
  CHECK(second.at("guest_memory_refault_ratio") == 0.25);

  // Nothing faulted, nothing reclaimed: there is no share.
  const Reading third = reader.read(10'000);
  CHECK_FALSE(third.contains("guest_memory_write_share_ratio"));
  CHECK_FALSE(third.contains("guest_memory_refault_ratio"));

  // Counters that fall are those of something else.
  tree.write("proc/vmstat", vmstat(0, 6000, 0, 0, 0));
  const Reading fourth = reader.read(15'000);
  CHECK_FALSE(fourth.contains("guest_memory_write_share_ratio"));
  tree.write("proc/vmstat", vmstat(90'000, 6001, 0, 1, 900));
  const Reading fifth = reader.read(20'000);
  CHECK(fifth.at("guest_memory_write_share_ratio") == 1);
  CHECK(fifth.at("guest_memory_refault_ratio") == 1);
}

std::string disk(const std::string& name, int busy_ms, int weighted_ms) {
  return " 254 0 " + name + " 1 0 0 0 0 0 0 0 0 " + std::to_string(busy_ms) + " " +
         std::to_string(weighted_ms) + "\n";
}

TEST_CASE("a disk's use and depth are those since the round in which it was seen last") {
  Tree tree;
  tree.write("sys/block/vda/stat", "");
  tree.write("proc/diskstats", disk("vda", 1000, 3000));
  Reader reader(makeDiskSource(), tree);
  CHECK_FALSE(reader.read(10'000).contains("guest_disk_utilisation_ratio{device=vda}"));
  tree.write("proc/diskstats", disk("vda", 3500, 15'000));
  const Reading second = reader.read(15'000);
  CHECK(second.at("guest_disk_utilisation_ratio{device=vda}") == 0.5);
  CHECK(second.at("guest_disk_queue_depth{device=vda}") == 2.4);
  tree.write("proc/diskstats", "");
  reader.read(20'000);
  tree.write("proc/diskstats", disk("vda", 13'500, 15'000));
  const Reading fourth = reader.read(25'000);
  CHECK(fourth.at("guest_disk_utilisation_ratio{device=vda}") == 1);
  CHECK(fourth.at("guest_disk_queue_depth{device=vda}") == 0);
  // No time passed, or the counter went back.
  CHECK_FALSE(reader.read(25'000).contains("guest_disk_utilisation_ratio{device=vda}"));
  tree.write("proc/diskstats", disk("vda", 5, 5));
  CHECK_FALSE(reader.read(30'000).contains("guest_disk_queue_depth{device=vda}"));
}

TEST_CASE("disks beyond the thirty-second are not told, which is said") {
  Tree tree;
  std::string text;
  for (int i = 0; i < 40; ++i) {
    tree.write("sys/block/nbd" + std::to_string(i) + "/stat", "");
    text += disk("nbd" + std::to_string(i), 0, 0);
  }
  tree.write("proc/diskstats", text);
  Reader reader(makeDiskSource(), tree);
  CHECK(reader.source().trouble().empty());
  for (int round = 0; round < 3; ++round) reader.read(round);
  CHECK(reader.columns().size() == 32 * (9 + 2));
  CHECK(reader.source().trouble() == "of 40 disks only the first 32 are told");
}

std::string interface(const std::string& name, int bytes = 1) {
  return name + ": " + std::to_string(bytes) + " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
}

TEST_CASE("interfaces that come and go without end leave room for those of a device") {
  Tree tree;
  tree.write("proc/net/dev", interface("veth0"));
  Reader reader(makeNetworkSource(), tree);
  for (int round = 0; round < 3000; ++round) {
    tree.write("proc/net/dev", interface("veth" + std::to_string(round)));
    reader.read(round);
  }
  CHECK(reader.columns().size() == 48 * 8);
  CHECK(reader.source().trouble().ends_with(" interfaces beyond the first are not told"));
  tree.write("sys/class/net/eth9/device/uevent", "");
  tree.write("proc/net/dev", interface("veth99999") + interface("eth9", 7) + interface("veth0", 3));
  const Reading reading = reader.read();
  CHECK(reading.at("guest_network_receive_bytes_total{device=eth9}") == 7);
  CHECK(reading.at("guest_network_receive_bytes_total{device=veth0}") == 3);
  CHECK_FALSE(reading.contains("guest_network_receive_bytes_total{device=veth99999}"));
}

TEST_CASE("names that look alike once they are cleaned make one column, not two of one name") {
  Tree tree;
  tree.write("proc/net/dev", interface("a\x01", 5) + interface("a\x02", 6) + interface("a?", 7));
  Reader reader(makeNetworkSource(), tree);
  CHECK(reader.read().at("guest_network_receive_bytes_total{device=a?}") == 5);
  CHECK(reader.columns().size() == 8);
}

constexpr const char* kSnmp =
    "Ip: Forwarding DefaultTTL\nIp: 2 64\n"
    "Tcp: RtoAlgorithm MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs "
    "OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
    "Tcp: 1 -1 14 2 1 3 5 2576 1671 9 4 6 0\n"
    "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\n"
    "Udp: 26 1 2 27 3 4 0\nUdpLite: InDatagrams\nUdpLite: 999\n";

TEST_CASE("what TCP and UDP repeat, refuse and lose is told") {
  Tree tree;
  tree.write("proc/net/snmp", kSnmp);
  tree.write("proc/net/netstat",
             "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPTimeouts TCPSynRetrans X\n"
             "TcpExt: 0 11 12 13 14 15\nIpExt: InOctets\nIpExt: 5\n");
  tree.write("proc/net/sockstat",
             "sockets: used 16\nTCP: inuse 1 orphan 2 tw 300 alloc 7 mem 0\nUDP: inuse 0 mem 0\n");
  CHECK(Reader(makeTcpSource(), tree).read() ==
        Reading{{"guest_tcp_active_opens_total", 14},
                {"guest_tcp_passive_opens_total", 2},
                {"guest_tcp_failed_opens_total", 1},
                {"guest_tcp_resets_total", 3},
                {"guest_tcp_established", 5},
                {"guest_tcp_received_segments_total", 2576},
                {"guest_tcp_sent_segments_total", 1671},
                {"guest_tcp_retransmitted_segments_total", 9},
                {"guest_tcp_receive_errors_total", 4},
                {"guest_tcp_sent_resets_total", 6},
                {"guest_udp_received_datagrams_total", 26},
                {"guest_udp_no_port_total", 1},
                {"guest_udp_receive_errors_total", 2},
                {"guest_udp_sent_datagrams_total", 27},
                {"guest_udp_receive_buffer_errors_total", 3},
                {"guest_udp_send_buffer_errors_total", 4},
                {"guest_tcp_listen_overflows_total", 11},
                {"guest_tcp_listen_drops_total", 12},
                {"guest_tcp_timeouts_total", 13},
                {"guest_tcp_syn_retransmits_total", 14},
                {"guest_tcp_orphans", 2},
                {"guest_tcp_time_wait", 300}});
}

TEST_CASE("a kernel without the extended counters tells the others, and the source says so") {
  Tree tree;
  tree.write("proc/net/snmp", kSnmp);
  Reader reader(makeTcpSource(), tree);
  CHECK(reader.read().size() == 16);
  CHECK(reader.source().trouble() == tree.root() + "/proc/net/sockstat: No such file or directory");
}

TEST_CASE("the agent tells what it takes, keeps and refused") {
  Tree tree;
  tree.write("proc/self/statm", "500 100 40 1 0 60 0\n");
  auto source = makeAgentSource();
  REQUIRE(source->open(tree.root()));
  Columns columns;
  Row row;
  Scratch scratch;
  ReportBuilder report;
  for (std::size_t i = 0; i <= echo::kMaxTables; ++i) report.table("t", {"a"});
  Round round{columns, row, scratch, report, 0, 12};
  source->read(round);
  const auto values = row.values(columns.size());
  std::map<std::string, double> told;
  for (std::size_t i = 0; i < values.size(); ++i) told[columns.names()[i].metric] = values[i];
  CHECK(told.at("guest_agent_cpu_seconds_total") > 0);
  CHECK(told.at("guest_agent_resident_bytes") ==
        100.0 * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  CHECK(told.at("guest_agent_echoes_kept") == 12);
  CHECK(told.at("guest_agent_columns_refused_total") == 0);
  CHECK(told.at("guest_agent_reports_refused_total") == 1);
}

TEST_CASE("figures are rounded to what they are worth") {
  CHECK(toThousandths(1.23456) == 1.235);
  CHECK(toThreeDigits(0.000123456) == 0.000123);
  CHECK(toThreeDigits(123456) == 123000);
  CHECK(toThreeDigits(999.6) == 1000);
  CHECK(toThreeDigits(0) == 0);
  CHECK(ratioOf(1, 3) == 0.333);
  CHECK(ratioOf(5, 3) == 1);
  CHECK_FALSE(ratioOf(1, 0));
  CHECK_FALSE(ratioOf(-1, 3));
}

TEST_CASE("the costs of the sources are told by name") {
  Tree tree;
  tree.write("proc/stat", "cpu0 1 2 3 4 5 6 7 8\n");
  static double now = 0;
  Sampler sampler(tree.root(), systemSources());
  sampler.measure([] { return now += 2; });
  Columns columns;
  sampler.read(columns, 0);
  sampler.read(columns, 5000);
  CHECK(sampler.costs().at("cpu") == 4);
  CHECK_FALSE(sampler.costs().contains("pressure"));
}

}  // namespace
}  // namespace virtseer::agent
