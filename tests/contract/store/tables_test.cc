#include <catch2/catch.hpp>

#include "unit/store/store_fixture.h"

/// What TableLog promises, on the store on a disk and on the one in memory.
namespace virtseer::store {
namespace {

using namespace test;

const Uuid kVm = streamOf(1).entity;
const Uuid kOther = streamOf(2).entity;

struct World {
  explicit World(bool on_disk)
      : store(on_disk ? openOrFail(scratch.path() / "store") : memoryStore(100)) {}
  ScratchDirectory scratch;
  std::unique_ptr<Store> store;
};

echo::Table table(std::string name, double value) {
  return {.name = std::move(name), .columns = {"pid", "command"}, .cells = {value, "init"}};
}

std::vector<KeptTable> found(const TableLog& log, TableQuery query) {
  const auto answer = log.finder(std::move(query))();
  REQUIRE(answer);
  return *answer;
}

void write(TableLog& log) {
  const auto job = log.writer();
  REQUIRE(job);
  REQUIRE(job());
}

TEST_CASE("contract: of each table the newest is found that is not after the time asked for") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->tables();
  CHECK_FALSE(log.writer());
  for (int i = 0; i < 5; ++i) {
    std::vector<echo::Table> tables{table("processes", i)};
    if (i == 1) tables.push_back(table("services", i));
    log.append(kVm, at(i * 60'000), tables);
    if (i == 2) write(log);
  }
  log.append(kOther, at(500'000), {table("processes", 99)});
  for (const bool written : {false, true}) {
    INFO("written " << written);
    if (written) write(log);
    const auto all = found(log, {.vm = kVm, .at = at(1'000'000)});
    REQUIRE(all.size() == 2);
    CHECK(all[0] == KeptTable{at(240'000), table("processes", 4)});
    CHECK(all[1] == KeptTable{at(60'000), table("services", 1)});
    const auto then = found(log, {.vm = kVm, .at = at(179'999), .name = "processes"});
    REQUIRE(then.size() == 1);
    CHECK(then[0] == KeptTable{at(120'000), table("processes", 2)});
    CHECK(found(log, {.vm = kVm, .at = at(-1)}).empty());
    CHECK(found(log, {.vm = kVm, .at = at(1'000'000), .name = "peers"}).empty());
    CHECK(found(log, {.vm = kVm, .at = at(240'000), .back = Millis(180'000)}).size() == 1);
  }
  CHECK_FALSE(log.writer());
  CHECK(log.dropped() == 0);
}

TEST_CASE("contract: what is older goes, of every VM, and nothing else") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->tables();
  for (int i = 0; i < 10; ++i) {
    log.append(kVm, at(i * 60'000), {table("processes", i)});
    if (i < 5) log.append(kOther, at(i * 60'000), {table("processes", i)});
  }
  write(log);
  REQUIRE(log.sweeper(at(300'000))());
  CHECK(found(log, {.vm = kOther, .at = at(1'000'000)}).empty());
  CHECK(found(log, {.vm = kVm, .at = at(299'999)}).empty());
  CHECK(found(log, {.vm = kVm, .at = at(300'000)}).at(0).table == table("processes", 5));
  CHECK(found(log, {.vm = kVm, .at = at(1'000'000)}).at(0).table == table("processes", 9));
  REQUIRE(log.sweeper(at(300'000))());
  CHECK(found(log, {.vm = kVm, .at = at(300'000)}).size() == 1);
}

TEST_CASE("tables are found after the store was opened again, also large ones") {
  const ScratchDirectory scratch;
  echo::Table large{.name = "processes", .columns = {"pid", "command"}, .cells = {}};
  for (int i = 0; i < 200; ++i) {
    large.cells.emplace_back(i * 0.5);
    large.cells.emplace_back(i % 3 == 0 ? echo::Cell() : "worker " + std::to_string(i));
  }
  {
    const auto store = openOrFail(scratch.path());
    store->tables().append(kVm, at(0), {large});
    write(store->tables());
  }
  const auto store = openOrFail(scratch.path());
  const auto all = found(store->tables(), {.vm = kVm, .at = at(10)});
  REQUIRE(all.size() == 1);
  CHECK(all[0].table == large);
}

TEST_CASE("tables that cannot be written for too long go, the oldest first, and are counted") {
  const ScratchDirectory scratch;
  const auto store = openOrFail(scratch.path());
  echo::Table wide{.name = "processes", .columns = {"pid"}, .cells = {}};
  wide.cells.resize(100'000);
  for (int i = 0; i < 15; ++i) store->tables().append(kVm, at(i), {wide});
  CHECK(store->tables().dropped() == 5);
  CHECK(found(store->tables(), {.vm = kVm, .at = at(4)}).empty());
  CHECK(found(store->tables(), {.vm = kVm, .at = at(5)}).size() == 1);
}

}  // namespace
}  // namespace virtseer::store
