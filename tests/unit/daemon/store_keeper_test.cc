#include "daemon/store_keeper.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
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

namespace {

const Uuid kGuest = kStream.entity;

/// One more row of the guest's stream, and what its echo told; as agents' links hand it on.
void tell(World& world, std::uint64_t sequence, std::string message) {
  append(world, static_cast<double>(sequence));
  Event event;
  event.time = world.clock.wall();
  event.kind = "guest.oom_kill";
  event.entity = kGuest;
  event.message = std::move(message);
  event.fields = {{"echo", "7:" + std::to_string(sequence)}};
  world.keeper.events().append(std::move(event));
}

/// Whether the next write that begins goes well.
bool durable(World& world) {
  std::optional<Result<void>> done;
  world.tasks.spawn("durable", waitDurable(world.keeper, done));
  REQUIRE(world.until([&] { return done.has_value(); }));
  return done->has_value();
}

std::vector<std::string> messages(World& world) {
  const auto found = world.keeper.events().finder({.kind_prefix = "guest."})();
  REQUIRE(found);
  std::vector<std::string> out;
  for (const auto& event : found->events) out.push_back(event.message);
  return out;
}

std::optional<double> lastRow(World& world) {
  const auto latest = world.keeper.series().latest(kStream);
  return latest.empty() ? std::nullopt : std::optional(latest[0].value);
}

void copyStore(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::copy(
      from, to,
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
}

/// While it lives no file of this process grows: writing fails as on a full disk.
class NoRoom {
 public:
  NoRoom() {
    ignored_ = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit none = before_;
    none.rlim_cur = 100;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
  }
  ~NoRoom() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, ignored_);
  }
  NoRoom(const NoRoom&) = delete;
  NoRoom& operator=(const NoRoom&) = delete;

 private:
  rlimit before_{};
  void (*ignored_)(int);
};

}  // namespace

TEST_CASE("what an acknowledged echo told is there after the daemon was killed, and is known") {
  const Folder folder, copy;
  {
    World world(folder.path);
    world.open();
    CHECK(world.keeper.told(kGuest) == collect::EchoMark{});
    world.tasks.spawn("run", world.keeper.run());
    for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) {
      tell(world, sequence, std::to_string(sequence));
      CHECK(durable(world));
    }
    copyStore(folder.path, copy.path);
    world.finish();
  }
  World world(copy.path);
  world.open();
  CHECK(lastRow(world) == 5.0);
  CHECK(messages(world) == std::vector<std::string>{"5", "4", "3", "2", "1"});
  CHECK(world.keeper.told(kGuest) == collect::EchoMark{7, 5});
  world.keeper.close();
}

TEST_CASE(
    "while events cannot be written no row is written nor acknowledged; later all are, once") {
  const Folder folder, copy;
  {
    World world(folder.path);
    world.open();
    world.tasks.spawn("run", world.keeper.run());
    tell(world, 1, "1");
    REQUIRE(world.until([&] { return world.written > 0; }));
    {
      const NoRoom limit;
      tell(world, 2, "2");
      REQUIRE(world.until([&] { return !world.keeper.problem().empty(); }));
      const int before = world.written;
      CHECK_FALSE(durable(world));
      CHECK(world.written == before);
      CHECK(world.keeper.events().waiting() > 0);
    }
    copyStore(folder.path, copy.path);
    REQUIRE(world.until([&] { return world.keeper.problem().empty(); }));
    CHECK(messages(world) == std::vector<std::string>{"2", "1"});
    world.finish();
  }
  World killed(copy.path);
  killed.open();
  // Neither the echo's row nor what it told: its agent sends both again.
  CHECK(lastRow(killed) == 1.0);
  CHECK(killed.keeper.told(kGuest) == collect::EchoMark{7, 1});
  killed.keeper.close();
  World world(folder.path);
  world.open();
  CHECK(lastRow(world) == 2.0);
  CHECK(messages(world) == std::vector<std::string>{"2", "1"});
  world.keeper.close();
}

TEST_CASE("what guests told while no store on disk served is left to their agents to tell again") {
  const Folder folder;
  World second(folder.path);
  {
    World first(folder.path);
    first.open();
    first.tasks.spawn("run", first.keeper.run());
    tell(first, 4, "stored");
    REQUIRE(first.until([&] { return first.written > 0; }));
    second.open();
    CHECK_FALSE(second.keeper.open_on_disk());
    second.tasks.spawn("run", second.keeper.run());
    tell(second, 4, "stored");
    tell(second, 5, "not acknowledged");
    first.finish();
  }
  REQUIRE(second.until([&] { return second.keeper.open_on_disk(); }));
  CHECK(messages(second) == std::vector<std::string>{"stored"});
  CHECK(second.keeper.told(kGuest) == collect::EchoMark{7, 4});
  second.finish();
}

TEST_CASE("the newest echo of each VM is known, however many events came after it") {
  const Folder folder;
  const Uuid other = *Uuid::parse("11111111-2222-4333-8444-000000000002");
  {
    World world(folder.path);
    world.open();
    Event event;
    event.time = world.clock.wall();
    event.kind = "guest.oom_kill";
    event.entity = other;
    event.fields = {{"echo", "3:9"}};
    world.keeper.events().append(event);
    event.entity = kGuest;
    for (int i = 1; i <= 2500; ++i) {
      event.fields = {{"echo", "7:" + std::to_string(i)}};
      world.keeper.events().append(event);
    }
    world.tasks.spawn("run", world.keeper.run());
    world.finish();
  }
  World world(folder.path);
  world.open();
  CHECK(world.keeper.told(kGuest) == collect::EchoMark{7, 2500});
  CHECK(world.keeper.told(other) == collect::EchoMark{3, 9});
  world.keeper.close();
}
