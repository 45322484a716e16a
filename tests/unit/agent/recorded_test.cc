#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "agent/sampler.h"
#include "tree.h"

/// The sources on the files of a real guest: Linux 6.18 with two processors, 24 GB and one disk.
namespace virtseer::agent {
namespace {

namespace fs = std::filesystem;

const fs::path kRecorded = fs::path(VIRTSEER_SOURCE_DIR) / "tests/unit/agent/recorded";

std::string contentOf(const fs::path& file) {
  std::ostringstream content;
  content << std::ifstream(file).rdbuf();
  return content.str();
}

/// The recorded files by their path below the root.
std::vector<std::string> recordedFiles() {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(kRecorded))
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), kRecorded).string());
  return files;
}

void copyRecorded(const Tree& tree) {
  for (const std::string& file : recordedFiles()) tree.write(file, contentOf(kRecorded / file));
}

/// All sources but that of sockets, which reads no files.
Reading readAll(Sampler& sampler, Columns& columns, std::int64_t now_ms) {
  Reading reading;
  const auto values = sampler.read(columns, now_ms);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] == values[i])
      REQUIRE(reading.emplace(keyOf(columns.names()[i]), values[i]).second);
  return reading;
}

TEST_CASE("a recorded guest is told as it was") {
  const Tree tree;
  copyRecorded(tree);
  Sampler sampler(tree.root(), systemSources());
  for (const auto& [source, state] : sampler.states()) {
    CAPTURE(source);
    // Their files are not among what was recorded, and programs see the running kernel alone.
    if (source != "sockets" && source != "logs" && source != "ebpf") CHECK(state == "on");
  }
  Columns columns;
  const Reading reading = readAll(sampler, columns, 1000);
  CHECK(reading.at("guest_cpu_seconds_total{cpu=1,mode=idle}") == 1214.62);
  CHECK(reading.at("guest_context_switches_total") == 7246269);
  CHECK(reading.at("guest_forks_total") == 46906);
  CHECK(reading.at("guest_memory_total_bytes") == 24683620.0 * 1024);
  CHECK(reading.at("guest_memory_used_bytes") == (24683620.0 - 23007736) * 1024);
  CHECK(reading.at("guest_memory_working_set_bytes") == (24683620.0 - 21706056 - 632280) * 1024);
  CHECK(reading.at("guest_memory_active_ratio") == 0.284);
  CHECK(reading.at("guest_memory_dirtied_pages_total") == 2537265);
  CHECK(reading.at("guest_memory_refaulted_pages_total{type=file}") == 686882);
  CHECK(reading.at("guest_page_faults_total{type=minor}") == 73385494 - 6811);
  CHECK(reading.at("guest_disk_reads_total{device=vda}") == 257518);
  CHECK(reading.at("guest_disk_write_bytes_total{device=vda}") == 19851854.0 * 512);
  CHECK(reading.at("guest_disk_flushes_total{device=vda}") == 13530);
  CHECK_FALSE(reading.contains("guest_disk_reads_total{device=loop0}"));
  CHECK(reading.at("guest_network_receive_bytes_total{device=eth0}") == 150550771);
  CHECK_FALSE(reading.contains("guest_network_receive_bytes_total{device=lo}"));
  CHECK(reading.at("guest_tcp_sent_resets_total") == 82);
  CHECK(reading.at("guest_tcp_timeouts_total") == 2);
  CHECK(reading.at("guest_tcp_time_wait") == 14);
  CHECK(reading.at("guest_udp_sent_datagrams_total") == 42);
  CHECK(reading.at("guest_pressure_stalled_seconds_total{resource=io}") == 12.797);
  CHECK(reading.at("guest_load15") == 2.61);
  CHECK(reading.at("guest_uptime_seconds") == 5117.55);
  CHECK(reading.contains("guest_filesystem_available_bytes{mountpoint=/}"));
  CHECK(columns.size() < 160);
}

TEST_CASE("a second round of the same guest adds no column but what needs two") {
  const Tree tree;
  copyRecorded(tree);
  Sampler sampler(tree.root(), systemSources());
  Columns columns;
  readAll(sampler, columns, 1000);
  const std::size_t first = columns.size();
  const Reading second = readAll(sampler, columns, 6000);
  CHECK(columns.size() == first + 2);
  CHECK(second.at("guest_disk_utilisation_ratio{device=vda}") == 0);
  CHECK(second.at("guest_disk_queue_depth{device=vda}") == 0);
  readAll(sampler, columns, 11'000);
  CHECK(columns.size() == first + 2);
}

TEST_CASE("files that end anywhere break nothing, and the catalogue stays bounded") {
  const Tree tree;
  copyRecorded(tree);
  Sampler sampler(tree.root(), systemSources());
  Columns columns;
  std::int64_t now_ms = 0;
  readAll(sampler, columns, now_ms += 5000);
  const std::size_t known = readAll(sampler, columns, now_ms += 5000).size();
  REQUIRE(known > 100);
  for (const std::string& file : recordedFiles()) {
    CAPTURE(file);
    const std::string whole = contentOf(kRecorded / file);
    for (std::size_t step = 0; step < 16; ++step) {
      tree.write(file, std::string_view(whole).substr(0, whole.size() * step / 16));
      readAll(sampler, columns, now_ms += 5000);
    }
    tree.write(file, whole);
  }
  for (int round = 0; round < 64; ++round) readAll(sampler, columns, now_ms += 5000);
  // A name that was cut short may have columns of its own; what was known is told again.
  CHECK(readAll(sampler, columns, now_ms += 5000).size() >= known);
  CHECK(columns.size() < known + 64);
}

}  // namespace
}  // namespace virtseer::agent
