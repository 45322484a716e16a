#include "daemon/store_keeper.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "unit/daemon/keeper_world.h"

using namespace virtseer;
using Folder = daemon::test::StoreFolder;
using World = daemon::test::StoreWorld;
namespace asio = boost::asio;

namespace {

const StreamId kStream{*Uuid::parse("11111111-2222-4333-8444-000000000001"), Source::guest};

/// One more row of the stream.
void append(World& world, double value) {
  auto& series = world.keeper.series();
  const auto columns =
      series.declare(kStream, std::array{SeriesName{"guest_load1", {}, Kind::gauge}});
  const auto last = series.lastTime(kStream);
  const Timestamp time = last ? *last + Millis(1) : world.clock.wall();
  REQUIRE(series.append(kStream, {time, *columns, {value}}) == store::Appended::taken);
  world.keeper.touched();
}

}  // namespace

TEST_CASE("what is appended is written soon and found again by the next daemon") {
  const Folder folder;
  {
    World world(folder.path);
    world.open();
    CHECK(world.keeper.open_on_disk());
    CHECK(world.swapped == 1);
    world.tasks.spawn("run", world.keeper.run());
    append(world, 1.5);
    CHECK(world.until([&] { return world.written > 0; }));
    append(world, 2.5);
    world.finish();
  }
  World world(folder.path);
  world.open();
  const auto latest = world.keeper.series().latest(kStream);
  REQUIRE(latest.size() == 1);
  CHECK(latest[0].value == 2.5);
  world.keeper.close();
}

TEST_CASE(
    "while another daemon has the store, latest values are served from memory, and it is taken "
    "over later") {
  const Folder folder;
  World second(folder.path);
  {
    World first(folder.path);
    first.open();
    second.open();
    CHECK_FALSE(second.keeper.open_on_disk());
    CHECK_FALSE(second.keeper.problem().empty());
    REQUIRE(second.events.size() == 1);
    CHECK(second.events[0].kind == "store.degraded");
    second.tasks.spawn("run", second.keeper.run());
    append(second, 7);
    CHECK(second.keeper.series().latest(kStream).at(0).value == 7);
    CHECK(second.written == 0);
    Event early;
    early.time = second.clock.wall();
    early.kind = "vm.started";
    second.keeper.events().append(early);
    first.keeper.close();
  }
  CHECK(second.until([&] { return second.keeper.open_on_disk(); }));
  CHECK(second.swapped == 1);
  CHECK(second.keeper.problem().empty());
  CHECK(second.events.back().kind == "store.recovered");
  const auto kept = second.keeper.events().finder({})();
  REQUIRE(kept);
  CHECK(std::any_of(kept->events.begin(), kept->events.end(),
                    [](const Event& event) { return event.kind == "vm.started"; }));
  append(second, 8);
  CHECK(second.until([&] { return second.written > 0; }));
  second.finish();
}

TEST_CASE("a store that is damaged is set aside under another name and said") {
  const Folder folder;
  {
    World world(folder.path);
    world.open();
    world.tasks.spawn("run", world.keeper.run());
    append(world, 1);
    world.finish();
  }
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder.path / "store" / "db"))
    if (entry.path().filename().string().starts_with("MANIFEST"))
      std::ofstream(entry.path(), std::ios::trunc) << "this is no manifest";
  World world(folder.path);
  world.open();
  CHECK(world.keeper.open_on_disk());
  REQUIRE_FALSE(world.events.empty());
  CHECK(world.events[0].kind == "store.remark");
  std::size_t aside = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path))
    aside += entry.path().filename().string().find("set-aside") != std::string::npos;
  CHECK(aside == 1);
  world.keeper.close();
}

namespace {

asio::awaitable<void> waitDurable(daemon::StoreKeeper& keeper, std::optional<Result<void>>& out) {
  out = co_await keeper.durable();
}

}  // namespace

TEST_CASE("what durable() promised is there after the daemon was killed") {
  const Folder folder;
  const Folder copy;
  {
    World world(folder.path);
    world.open();
    world.tasks.spawn("run", world.keeper.run());
    for (int i = 0; i < 5; ++i) {
      world.keeper.settings().put("operation/" + std::to_string(i), "state");
      std::optional<Result<void>> done;
      world.tasks.spawn("durable", waitDurable(world.keeper, done));
      REQUIRE(world.until([&] { return done.has_value(); }));
      CHECK(done->has_value());
    }
    // What a kill at this moment would leave.
    std::filesystem::copy(folder.path, copy.path,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
    world.finish();
  }
  World world(copy.path);
  world.open();
  CHECK(world.keeper.settings().list("operation/").size() == 5);
  world.keeper.close();
}

TEST_CASE("nothing is promised while no store on disk serves") {
  const Folder folder;
  World world(folder.path);
  std::optional<Result<void>> done;
  world.tasks.spawn("durable", waitDurable(world.keeper, done));
  REQUIRE(world.until([&] { return done.has_value(); }));
  CHECK(done->error().code == Code::unreachable);
  world.keeper.close();
}
