#include "daemon/cpu_rows.h"

#include <catch2/catch.hpp>

#include "daemon/contention_watch.h"
#include "daemon/demand_history.h"
#include "daemon/seen_vms.h"
#include "store/store.h"

using namespace virtseer;
using namespace virtseer::daemon;

namespace {

Timestamp at(int second) {
  return Timestamp(Millis(1'800'000'000'000 + second * 1000));
}

CpuReading reading(int second, double used, double delay, std::size_t vcpus = 2) {
  return {at(second), used, vcpus ? std::optional(delay) : std::nullopt, vcpus};
}

const Uuid kVm = *Uuid::parse("11111111-2222-4333-8444-000000000001");

}  // namespace

TEST_CASE("delays of vCPUs are summed for each row") {
  const std::vector<std::vector<Point>> columns{{{at(0), 1}, {at(1), 2}, {at(3), 4}},
                                                {{at(0), 0.1}, {at(1), 0.2}, {at(2), 0.3}},
                                                {{at(1), 0.5}, {at(3), 0.6}}};
  const auto rows = joinCpu(columns);
  REQUIRE(rows.size() == 3);
  CHECK(*rows[0].delay_s == Approx(0.1));
  CHECK(rows[1].vcpus == 2);
  CHECK(*rows[1].delay_s == Approx(0.7));
  CHECK(*rows[2].delay_s == Approx(0.6));
  CHECK(joinCpu({}).empty());
}

TEST_CASE("what a VM waits for is wanted as much as what it gets") {
  VmCpu cpu;
  CHECK_FALSE(cpu.take(reading(0, 10, 1)));
  const auto demand = cpu.take(reading(2, 12, 2));
  REQUIRE(demand);
  CHECK(demand->value == Approx(1.5));
  CHECK(cpu.delay()->value == Approx(0.5));
  CHECK_FALSE(cpu.take(reading(2, 13, 3)));
  CHECK(*cpu.last() == at(2));
}

TEST_CASE("a row that lacks a vCPU is passed over, unless there are fewer from now on") {
  VmCpu cpu;
  cpu.take(reading(0, 0, 10));
  cpu.take(reading(1, 1, 10));
  CHECK_FALSE(cpu.take(reading(2, 2, 5, 1)));
  const auto over = cpu.take(reading(3, 3, 12));
  REQUIRE(over);
  CHECK(over->value == Approx(2));
  for (int second = 4; second < 8; ++second) CHECK_FALSE(cpu.take(reading(second, second, 6, 1)));
  CHECK(cpu.take(reading(8, 8, 6, 1))->value == Approx(1));
  CHECK(cpu.delay()->value == Approx(0));
}

TEST_CASE("a VM that was started anew begins anew") {
  VmCpu cpu;
  cpu.take(reading(0, 100, 10));
  CHECK_FALSE(cpu.take(reading(1, 0.5, 0)));
  CHECK_FALSE(cpu.delay());
  CHECK(cpu.take(reading(2, 1, 0.5))->value == Approx(1));
}

TEST_CASE("a VM's past is read as demand and goes on with the next row") {
  const auto store = store::memoryStore(1000);
  const StreamId stream{kVm, Source::libvirt};
  CHECK_FALSE(prepareHistory(store->series(), kVm, at(0), at(100)));
  const std::vector<SeriesName> names{
      {"libvirt_domain_state", {}, Kind::gauge},
      {"libvirt_domain_vcpu_delay_seconds_total", {{"vcpu", "0"}}, Kind::counter},
      {"libvirt_domain_info_cpu_time_seconds_total", {}, Kind::counter}};
  const auto columns = store->series().declare(stream, names);
  for (int i = 0; i < 100; ++i)
    store->series().append(stream, {at(i), *columns, {1, 0.25 * i, 0.5 * i}});
  const auto query = prepareHistory(store->series(), kVm, at(50), at(100));
  REQUIRE(query);
  auto history = readHistory(*query);
  REQUIRE(history);
  CHECK(history->demand.size() == 49);
  for (const auto& point : history->demand) CHECK(point.value == Approx(0.75));
  CHECK(history->cpu.take(reading(100, 50, 25, 1))->value == Approx(0.75));
  CHECK_FALSE(prepareHistory(store->series(), kVm, at(200), at(300)));
}

TEST_CASE("a host is contended after some rounds, and relieved well below that") {
  ContentionWatch watch(0.1, 3);
  const auto take = [&](int second, std::optional<double> delay) {
    if (!delay) return watch.take(std::nullopt, 4, at(second));
    return watch.take(ContentionWatch::Measure{3.9, *delay}, 4, at(second));
  };
  CHECK_FALSE(take(0, 0.5));
  CHECK_FALSE(take(1, 0.5));
  CHECK_FALSE(take(2, 0.39));  // breaks the row
  CHECK_FALSE(take(3, 0.4));
  CHECK_FALSE(take(4, std::nullopt));  // says nothing
  CHECK_FALSE(take(5, 0.4));
  const auto begun = take(6, 0.4);
  REQUIRE(begun);
  CHECK(begun->contended);
  CHECK(begun->since == at(3));
  CHECK(watch.since() == at(3));
  for (int i = 7; i < 20; ++i) CHECK_FALSE(take(i, i % 2 ? 0.3 : 0.5));
  CHECK_FALSE(take(20, 0.1));
  CHECK_FALSE(take(21, 0.1));
  const auto over = take(22, 0);
  REQUIRE(over);
  CHECK_FALSE(over->contended);
  CHECK(over->since == at(20));
  CHECK_FALSE(watch.since());
  CHECK_FALSE(watch.take(ContentionWatch::Measure{5, 5}, 0, at(23)));
}

TEST_CASE("VMs that wait though they want less than the host has do not make it contended") {
  ContentionWatch watch(0.1, 2);
  const auto take = [&](int second, double used, double waited) {
    return watch.take(ContentionWatch::Measure{used, waited}, 4, at(second));
  };
  for (int i = 0; i < 10; ++i) CHECK_FALSE(take(i, 2.9, 1.0));
  CHECK_FALSE(take(10, 3, 1));
  REQUIRE(take(11, 3, 1));
  for (int i = 12; i < 20; ++i) CHECK_FALSE(take(i, 2.7, 1.0));
  CHECK_FALSE(take(20, 2.5, 1));
  const auto over = take(21, 2.5, 1);
  REQUIRE(over);
  CHECK_FALSE(over->contended);
}

TEST_CASE("VMs that do not come back are forgotten after a week, across restarts") {
  SeenVms seen;
  Uuid other = kVm;
  other.bytes[15] = 2;
  seen.see(kVm, at(0));
  seen.see(other, at(1000));
  SeenVms later;
  later.read(seen.text() + "nonsense\n" + kVm.text() + "\n");
  CHECK(later.text() == seen.text());
  CHECK(later.takeForgotten(at(0) + SeenVms::kKept) == std::vector<Uuid>{kVm});
  CHECK(later.takeForgotten(at(0) + SeenVms::kKept).empty());
}
