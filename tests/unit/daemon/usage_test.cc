#include "daemon/usage.h"

#include <catch2/catch.hpp>

#include "store/store.h"

using namespace virtseer;

namespace {

const Uuid kVm = *Uuid::parse("11111111-2222-4333-8444-000000000001");
const Timestamp kNow{Millis(1'800'000'000'000)};

/// Appends rows one second apart up to kNow; each value grows by its step.
void grow(store::SeriesStore& series, Source source, SeriesName name, double start, double step,
          int rows = 11) {
  const StreamId stream{kVm, source};
  const auto columns = series.declare(stream, std::array{name});
  for (int i = 0; i < rows; ++i) {
    const Timestamp time = kNow - Millis(1000 * (rows - 1 - i));
    REQUIRE(series.append(stream, {time, *columns, {start + step * i}}) == store::Appended::taken);
  }
}

}  // namespace

TEST_CASE("nothing known is nothing, not zero") {
  const auto store = store::memoryStore(100);
  const auto usage = daemon::UsageReader().vm(store->series(), kVm, kNow, Millis(15000));
  CHECK_FALSE(usage.cpu_cores);
  CHECK_FALSE(usage.memory_used_bytes);
  CHECK_FALSE(usage.disk_read_bytes_per_second);
}

TEST_CASE("CPU inside counts what is used, not idle, iowait or steal") {
  const auto store = store::memoryStore(100);
  auto& series = store->series();
  const StreamId stream{kVm, Source::guest};
  std::vector<SeriesName> names;
  for (const char* mode : {"user", "system", "idle", "iowait", "steal"})
    names.push_back({"guest_cpu_seconds_total", {{"cpu", "0"}, {"mode", mode}}, Kind::counter});
  const auto columns = series.declare(stream, names);
  for (int i = 0; i <= 10; ++i)
    series.append(
        stream,
        {kNow - Millis(1000 * (10 - i)), *columns, {0.5 * i, 0.1 * i, 0.2 * i, 0.1 * i, 0.1 * i}});
  const auto usage = daemon::UsageReader().vm(series, kVm, kNow, Millis(15000));
  REQUIRE(usage.guest_cpu_cores);
  CHECK(*usage.guest_cpu_cores == Approx(0.6));
}

TEST_CASE("the balloon's figures serve where there is no agent") {
  const auto store = store::memoryStore(100);
  const StreamId stream{kVm, Source::libvirt};
  const std::vector<SeriesName> names{
      {"libvirt_domain_memory_stats_available_bytes", {}, Kind::gauge},
      {"libvirt_domain_memory_stats_usable_bytes", {}, Kind::gauge},
      {"libvirt_domain_memory_stats_unused_bytes", {}, Kind::gauge}};
  const auto columns = store->series().declare(stream, names);
  store->series().append(stream, {kNow, *columns, {1000, 700, 100}});
  const auto usage = daemon::UsageReader().vm(store->series(), kVm, kNow, Millis(15000));
  CHECK(usage.memory_used_bytes == 300);
}

TEST_CASE("the inside is preferred to the outside") {
  const auto store = store::memoryStore(100);
  grow(store->series(), Source::libvirt,
       {"libvirt_domain_block_stats_write_bytes_total", {{"target_device", "vda"}}, Kind::counter},
       0, 900);
  auto usage = daemon::UsageReader().vm(store->series(), kVm, kNow, Millis(15000));
  CHECK(*usage.disk_write_bytes_per_second == Approx(900));
  grow(store->series(), Source::guest,
       {"guest_disk_write_bytes_total", {{"device", "vda"}}, Kind::counter}, 0, 1000);
  usage = daemon::UsageReader().vm(store->series(), kVm, kNow, Millis(15000));
  CHECK(*usage.disk_write_bytes_per_second == Approx(1000));
}

TEST_CASE("only the window counts") {
  const auto store = store::memoryStore(100);
  grow(store->series(), Source::guest, {"guest_work_units_total", {}, Kind::counter}, 0, 10, 60);
  const auto usage =
      daemon::UsageReader().vm(store->series(), kVm, kNow + Millis(59'000 + 20'000), Millis(15000));
  CHECK_FALSE(usage.work_units_per_second);
}
