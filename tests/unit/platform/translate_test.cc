#include "platform/libvirt/translate.h"

#include <libvirt/libvirt.h>

#include <catch2/catch.hpp>
#include <map>

using namespace virtseer;
using namespace virtseer::platform;

namespace {

/// metric{label=value} -> value, for reading in a test.
std::map<std::string, double> byName(const std::vector<Measured>& values) {
  std::map<std::string, double> out;
  for (const auto& value : values) {
    std::string key = value.name->metric;
    for (const auto& [label, text] : value.name->labels) key += "{" + label + "=" + text + "}";
    out[key] = value.value;
  }
  return out;
}

}  // namespace

TEST_CASE("processor time arrives in seconds") {
  Translator translator;
  const std::vector<Field> fields{{"cpu.time", 9315861503.0, {}}, {"cpu.user", 7660000000.0, {}}};
  const auto values = translator.translate(fields);
  REQUIRE(values.size() == 2);
  CHECK(values[0].name->metric == "libvirt_domain_info_cpu_time_seconds_total");
  CHECK(values[0].name->kind == Kind::counter);
  CHECK(values[0].value == Approx(9.315861503));
  CHECK(byName(values)["libvirt_domain_cpu_user_seconds_total"] == Approx(7.66));
}

TEST_CASE("memory arrives in bytes") {
  Translator translator;
  const std::vector<Field> fields{
      {"balloon.current", 131072, {}},    {"balloon.usable", 70020, {}},
      {"balloon.disk_caches", 3640, {}},  {"balloon.swap_in", 2, {}},
      {"balloon.minor_fault", 40138, {}}, {"balloon.last-update", 1795197145, {}}};
  auto values = byName(translator.translate(fields));
  CHECK(values["libvirt_domain_info_memory_usage_bytes"] == 131072.0 * 1024);
  CHECK(values["libvirt_domain_memory_stats_usable_bytes"] == 70020.0 * 1024);
  CHECK(values["libvirt_domain_memory_stats_disk_cache_bytes"] == 3640.0 * 1024);
  CHECK(values["libvirt_domain_memory_stats_swap_in_bytes_total"] == 2048);
  CHECK(values["libvirt_domain_memory_stats_minor_fault_total"] == 40138);
  CHECK(values["libvirt_domain_memory_stats_last_update_timestamp_seconds"] == 1795197145);
}

TEST_CASE("a sparse list of virtual CPUs keeps each one's number") {
  Translator translator;
  const std::vector<Field> fields{{"vcpu.current", 2, {}},
                                  {"vcpu.maximum", 4, {}},
                                  {"vcpu.0.time", 6560000000.0, {}},
                                  {"vcpu.3.time", 1000000000.0, {}},
                                  {"vcpu.3.delay", 12474752361.0, {}}};
  auto values = byName(translator.translate(fields));
  CHECK(values.size() == 4);  // the maximum is no measurement
  CHECK(values["libvirt_domain_info_virtual_cpus"] == 2);
  CHECK(values["libvirt_domain_vcpu_time_seconds_total{vcpu=0}"] == Approx(6.56));
  CHECK(values["libvirt_domain_vcpu_time_seconds_total{vcpu=3}"] == Approx(1.0));
  CHECK(values["libvirt_domain_vcpu_delay_seconds_total{vcpu=3}"] == Approx(12.474752361));
}

TEST_CASE("disks are named by their target, wherever the name stands") {
  Translator translator;
  const std::vector<Field> fields{{"block.count", 2, {}},
                                  {"block.0.rd.bytes", 4096, {}},
                                  {"block.0.name", 0, "vda"},
                                  {"block.0.path", 0, "/images/a.qcow2"},
                                  {"block.0.fl.times", 2000000000.0, {}},
                                  {"block.1.name", 0, "vdb"},
                                  {"block.1.wr.reqs", 7, {}},
                                  {"block.1.physical", 65536, {}}};
  auto values = byName(translator.translate(fields));
  CHECK(values.size() == 4);
  CHECK(values["libvirt_domain_block_stats_read_bytes_total{target_device=vda}"] == 4096);
  CHECK(values["libvirt_domain_block_stats_flush_time_seconds_total{target_device=vda}"] == 2);
  CHECK(values["libvirt_domain_block_stats_write_requests_total{target_device=vdb}"] == 7);
  CHECK(values["libvirt_domain_block_stats_physicalsize_bytes{target_device=vdb}"] == 65536);
}

TEST_CASE("an interface is the same series after a restart gave it another tap device") {
  Translator translator;
  const std::vector<Field> before{{"net.0.name", 0, "vnet3"}, {"net.0.rx.bytes", 10, {}}};
  const std::vector<Field> after{{"net.0.name", 0, "vnet4"}, {"net.0.rx.bytes", 20, {}}};
  const auto first = translator.translate(before);
  const auto second = translator.translate(after);
  REQUIRE(first.size() == 1);
  REQUIRE(second.size() == 1);
  CHECK(first[0].name == second[0].name);
  CHECK(first[0].name->labels == Labels{{"target_device", "net0"}});
}

TEST_CASE("the same field has the same interned name in every sample") {
  Translator one;
  Translator other;
  const std::vector<Field> fields{{"cpu.time", 1, {}}};
  CHECK(one.translate(fields)[0].name == one.translate(fields)[0].name);
  CHECK(one.translate(fields)[0].name == other.translate(fields)[0].name);
}

TEST_CASE("unknown and absurd fields are left out") {
  Translator translator;
  const std::vector<Field> fields{{"perf.cmt", 1, {}},
                                  {"vcpu.99999999999999999999.time", 1, {}},
                                  {"vcpu.5000.time", 1, {}},
                                  {"vcpu..time", 1, {}},
                                  {"vcpu.-1.time", 1, {}},
                                  {"block.0.", 1, {}},
                                  {"", 1, {}},
                                  {"..", 1, {}}};
  CHECK(translator.translate(fields).empty());
}

TEST_CASE("states keep libvirt's names") {
  CHECK(vmState(VIR_DOMAIN_RUNNING) == VmState::running);
  CHECK(vmState(VIR_DOMAIN_BLOCKED) == VmState::blocked);
  CHECK(vmState(VIR_DOMAIN_PAUSED) == VmState::paused);
  CHECK(vmState(VIR_DOMAIN_SHUTDOWN) == VmState::shutdown);
  CHECK(vmState(VIR_DOMAIN_SHUTOFF) == VmState::shutoff);
  CHECK(vmState(VIR_DOMAIN_CRASHED) == VmState::crashed);
  CHECK(vmState(VIR_DOMAIN_PMSUSPENDED) == VmState::suspended);
}
