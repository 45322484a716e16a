#include <catch2/catch.hpp>

#include "unit/store/store_fixture.h"

/// What EventLog and Settings promise, on the store on a disk and on the one in memory.
namespace virtseer::store {
namespace {

using namespace test;

struct World {
  explicit World(bool on_disk)
      : store(on_disk ? openOrFail(scratch.path() / "store") : memoryStore(100)) {}
  ScratchDirectory scratch;
  std::unique_ptr<Store> store;
};

Event event(std::int64_t ms, std::string kind, Severity severity = Severity::info) {
  return {.id = 0,
          .time = at(ms),
          .severity = severity,
          .kind = std::move(kind),
          .entity = std::nullopt,
          .message = "something happened",
          .fields = {}};
}

std::vector<std::string> kinds(const EventLog& log, EventQuery query) {
  const auto found = log.finder(std::move(query))();
  REQUIRE(found);
  std::vector<std::string> all;
  for (const auto& each : found->events) all.push_back(each.kind);
  return all;
}

using Kinds = std::vector<std::string>;

TEST_CASE("contract: events are found newest first, written or not, and their ids rise") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->events();
  CHECK_FALSE(log.writer());
  std::uint64_t last = 0;
  for (int i = 0; i < 10; ++i) {
    const auto id = log.append(event(i, "e" + std::to_string(i)));
    CHECK(id > last);
    last = id;
    if (i == 4) {
      auto write = log.writer();
      REQUIRE(write);
      CHECK(write());
    }
  }
  CHECK(kinds(log, {.kind_prefix = {}, .limit = 3}) == Kinds{"e9", "e8", "e7"});
  CHECK(kinds(log, {.kind_prefix = {}}).size() == 10);
  CHECK(kinds(log, {.kind_prefix = {}, .limit = 0}).empty());
}

TEST_CASE("contract: an event that is written while it is looked for comes once") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->events();
  for (int i = 0; i < 5; ++i) log.append(event(i, "e"));
  const auto find = log.finder({});
  REQUIRE(log.writer()());
  log.append(event(9, "later"));
  const auto found = find();
  REQUIRE(found);
  CHECK(found->events.size() == 5);
  CHECK(log.writer());
}

TEST_CASE("contract: every bound of a query counts") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->events();
  const Uuid vm = streamOf(1).entity;
  log.append(event(1, "vm.started"));
  auto second = event(2, "vm.stopped", Severity::warning);
  second.entity = vm;
  const auto second_id = log.append(second);
  REQUIRE(log.writer()());
  log.append(event(3, "agent.lost", Severity::error));
  CHECK(kinds(log, {.from = at(2)}) == Kinds{"agent.lost", "vm.stopped"});
  CHECK(kinds(log, {.to = at(2)}) == Kinds{"vm.started"});
  CHECK(kinds(log, {.entity = vm}) == Kinds{"vm.stopped"});
  CHECK(kinds(log, {.at_least = Severity::warning}) == Kinds{"agent.lost", "vm.stopped"});
  CHECK(kinds(log, {.kind_prefix = "vm."}) == Kinds{"vm.stopped", "vm.started"});
  CHECK(kinds(log, {.before_id = second_id}) == Kinds{"vm.started"});
  CHECK(kinds(log, {.before_id = 0}).empty());
}

TEST_CASE("contract: pages follow each other without a gap and the last one says so") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->events();
  for (int i = 0; i < 9; ++i) {
    log.append(event(i, i % 2 == 0 ? "even" : "odd"));
    if (i == 5) REQUIRE(log.writer()());
  }
  Kinds all;
  std::vector<std::size_t> sizes;
  EventQuery query{.kind_prefix = "even", .limit = 2};
  for (bool more = true; more;) {
    const auto page = log.finder(query)();
    REQUIRE(page);
    for (const auto& each : page->events) all.push_back(std::to_string(each.time == at(0)));
    sizes.push_back(page->events.size());
    more = page->next.has_value();
    query.before_id = page->next.value_or(0);
  }
  CHECK(sizes == std::vector<std::size_t>{2, 2, 1});
  CHECK(all == Kinds{"0", "0", "0", "0", "1"});
}

TEST_CASE("contract: a search looks at so many events and then says where to go on") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->events();
  log.append(event(0, "rare"));
  for (int i = 1; i <= 25; ++i) {
    log.append(event(i, "frequent"));
    if (i == 20) REQUIRE(log.writer()());
  }
  EventQuery query{.kind_prefix = "rare", .look_at = 10};
  std::vector<std::size_t> sizes;
  for (bool more = true; more;) {
    const auto page = log.finder(query)();
    REQUIRE(page);
    sizes.push_back(page->events.size());
    more = page->next.has_value();
    query.before_id = page->next.value_or(0);
  }
  CHECK(sizes == std::vector<std::size_t>{0, 0, 1});
}

TEST_CASE("contract: a search ends once it has left its beginning behind") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->events();
  const std::int64_t start = kClockSteps.count() + 10'000;
  log.append(event(start, "before a clock that stood wrong for long"));
  for (std::size_t i = 0; i < kEventsBeforeStart; ++i) log.append(event(1, "old"));
  log.append(event(start, "before a clock that stood wrong for a while"));
  for (std::size_t i = 0; i + 1 < kEventsBeforeStart; ++i) log.append(event(1, "old"));
  REQUIRE(log.writer()());
  log.append(event(start, "now"));
  CHECK(kinds(log, {.from = at(start)}) ==
        Kinds{"now", "before a clock that stood wrong for a while"});
  CHECK(kinds(log, {.from = at(1), .limit = 5000}).size() == 2 * kEventsBeforeStart + 2);
  // Within the steps that are allowed for, nothing ends a search.
  CHECK(kinds(log, {.from = at(2 + kClockSteps.count()), .limit = 5000}).size() == 2);
  CHECK(kinds(log, {.from = at(1 + kClockSteps.count()), .limit = 5000}).size() == 3);
}

TEST_CASE("contract: an event keeps all that it said, within bounds") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& log = world.store->events();
  Event full = event(1, "vm.crashed", Severity::error);
  full.entity = streamOf(2).entity;
  full.fields = {{"name", "we\nb"}, {"reason", std::string(20'000, 'x')}};
  for (int i = 0; i < 500; ++i) full.fields.emplace("zz" + std::to_string(i), "");
  const auto id = log.append(full);
  REQUIRE(log.writer()());
  const auto found = log.finder({})();
  REQUIRE(found);
  REQUIRE(found->events.size() == 1);
  CHECK(found->events.front().id == id);
  CHECK(found->events.front().entity == full.entity);
  CHECK(found->events.front().fields.at("name") == "we\nb");
  CHECK(found->events.front().fields.at("reason").size() == 8192);
  CHECK(found->events.front().fields.size() == 64);
}

TEST_CASE("contract: settings take effect at once and are listed by prefix") {
  const bool on_disk = GENERATE(true, false);
  const World world(on_disk);
  auto& settings = world.store->settings();
  CHECK_FALSE(settings.get("vm/1"));
  CHECK_FALSE(settings.writer());
  settings.put("vm/2", "b");
  settings.put("vm/1", "a");
  settings.put("host", std::string("\0x", 2));
  CHECK(settings.get("vm/1") == "a");
  CHECK(settings.get("host") == std::string("\0x", 2));
  const std::vector<std::pair<std::string, std::string>> vms{{"vm/1", "a"}, {"vm/2", "b"}};
  CHECK(settings.list("vm/") == vms);
  CHECK(settings.list("").size() == 3);
  auto write = settings.writer();
  REQUIRE(write);
  CHECK(write());
  CHECK_FALSE(settings.writer());
  settings.erase("vm/1");
  CHECK_FALSE(settings.get("vm/1"));
  auto erase = settings.writer();
  REQUIRE(erase);
  CHECK(erase());
}

}  // namespace
}  // namespace virtseer::store
