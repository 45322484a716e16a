#include "daemon/guest_tables.h"

#include <catch2/catch.hpp>

#include "daemon/collection.h"
#include "store/store.h"

using namespace virtseer;
using daemon::Collection;
using daemon::GuestTables;

namespace {

const std::vector<std::string> kAny;  ///< no collector named: all
const Uuid kVm = *Uuid::parse("11111111-2222-4333-8444-000000000001");
const Uuid kOther = *Uuid::parse("11111111-2222-4333-8444-000000000002");

/// A whole minute, and milliseconds after it.
Timestamp at(std::int64_t ms) {
  return Timestamp(Millis(1'700'000'040'000 + ms));
}

echo::Table table(std::string name, double value) {
  return {.name = std::move(name), .columns = {"pid"}, .cells = {value}};
}

/// What was stored, in order.
struct Stored {
  struct Row {
    Timestamp time;
    std::vector<echo::Table> tables;
  };
  std::vector<Row> rows;
  GuestTables tables{[this](Uuid, Timestamp time, std::vector<echo::Table> told) {
    rows.push_back({time, std::move(told)});
  }};
};

}  // namespace

TEST_CASE("of each table the first of every minute is stored, and the last one is known") {
  Stored world;
  for (int second = 0; second < 120; second += 5) {
    std::vector<echo::Table> told{table("processes", second)};
    if (second % 60 == 30) told.push_back(table("services", second));
    world.tables.take(kVm, at(second * 1000), told);
  }
  REQUIRE(world.rows.size() == 4);
  CHECK(world.rows[0].time == at(0));
  CHECK(world.rows[1].time == at(30'000));
  CHECK(world.rows[1].tables == std::vector<echo::Table>{table("services", 30)});
  CHECK(world.rows[2].tables == std::vector<echo::Table>{table("processes", 60)});
  const auto& latest = world.tables.latest(kVm);
  REQUIRE(latest.size() == 2);
  CHECK(latest.at("processes").table == table("processes", 115));
  CHECK(latest.at("services").time == at(90'000));
  CHECK(world.tables.latest(kOther).empty());
}

TEST_CASE("what the store holds fills what is not known, and nothing newer gives way") {
  Stored world;
  world.tables.take(kVm, at(0), {table("processes", 2)});
  CHECK_FALSE(world.tables.recalled(kVm));
  world.tables.recall(kVm,
                      {{at(-60'000), table("processes", 1)}, {at(-60'000), table("peers", 3)}});
  CHECK(world.tables.recalled(kVm));
  CHECK(world.tables.latest(kVm).at("processes").table == table("processes", 2));
  CHECK(world.tables.latest(kVm).at("peers").table == table("peers", 3));
  world.tables.storeSwapped();
  CHECK_FALSE(world.tables.recalled(kVm));
  world.tables.take(kVm, at(5000), {table("processes", 4)});
  CHECK(world.rows.size() == 2);
  world.tables.keepOnly({kOther});
  CHECK(world.tables.latest(kVm).empty());
}

TEST_CASE("a guest that tells ever new or huge tables is bounded") {
  Stored world;
  for (int i = 0; i < 100; ++i)
    world.tables.take(kVm, at(i * 1000), {table("table_" + std::to_string(i), i)});
  CHECK(world.tables.latest(kVm).size() == GuestTables::kMaxTables);
  CHECK(world.tables.latest(kVm).contains("table_99"));
  echo::Table huge = table("huge", 1);
  huge.cells.resize(GuestTables::kMaxCells);
  world.tables.take(kVm, at(200'000), {huge});
  CHECK(world.tables.latest(kVm).size() == 1);
  world.tables.take(kVm, at(201'000), {table("small", 1)});
  CHECK(world.tables.latest(kVm).size() == 1);
  CHECK(world.tables.latest(kVm).contains("small"));
}

TEST_CASE("what a person says of one VM stands over the configuration, also after a start") {
  const auto store = store::memoryStore(10);
  const echo::Settings defaults{.interval_ms = 5000, .top_processes = 10, .collectors = kAny};
  Collection first(defaults);
  first.remember(store->settings());
  CHECK(first.inForce(kVm) ==
        echo::Settings{.interval_ms = 5000, .top_processes = 10, .collectors = {{"all"}}});
  first.set(kVm, {.interval_ms = 1000, .top_processes = {}, .collectors = {{"cpu", "memory"}}});
  Collection second(defaults);
  second.remember(store->settings());
  CHECK(second.inForce(kVm) == echo::Settings{.interval_ms = 1000,
                                              .top_processes = 10,
                                              .collectors = {{"cpu", "memory"}}});
  CHECK(second.inForce(kOther) == first.inForce(kOther));
  second.set(kVm, {});
  CHECK(second.inForce(kVm) == second.inForce(kOther));
  CHECK(store->settings().list("collection/").empty());
}

TEST_CASE("what is said while no store on disk serves is kept once one does") {
  const auto memory = store::memoryStore(10), disk = store::memoryStore(10);
  disk->settings().put("collection/" + kOther.text(), R"({"interval_ms":2000})");
  disk->settings().put("collection/" + kVm.text(), R"({"interval_ms":3000})");
  Collection collection({.interval_ms = 5000, .top_processes = 10, .collectors = kAny});
  collection.remember(memory->settings());
  collection.set(kVm, {.interval_ms = 1000, .top_processes = {}, .collectors = {}});
  collection.remember(disk->settings());
  CHECK(collection.own(kVm).interval_ms == 1000u);
  CHECK(collection.own(kOther).interval_ms == 2000u);
  CHECK(disk->settings().get("collection/" + kVm.text()) == R"({"interval_ms":1000})");
}

TEST_CASE("stored words of a collection that do not fit are left out") {
  const auto store = store::memoryStore(10);
  for (const char* text : {"", "[]", R"({"interval_ms":1})", R"({"interval_ms":-5})",
                           R"({"top_processes":100000})", R"({"collectors":["a b",3]})"}) {
    store->settings().put("collection/" + kVm.text(), text);
    Collection collection({.interval_ms = 5000, .top_processes = 10, .collectors = kAny});
    collection.remember(store->settings());
    INFO(text);
    CHECK(collection.own(kVm) == echo::Settings{});
  }
}
