#include <catch2/catch.hpp>

#include "daemon/backend.h"
#include "unit/daemon/keeper_world.h"

/// What guests tell and are told, as the API sees it, over a store on a disk.
using namespace virtseer;
using Folder = daemon::test::StoreFolder;
namespace asio = boost::asio;

namespace {

const Uuid kVm = *Uuid::parse("11111111-2222-4333-8444-000000000001");
const StreamId kStream{kVm, Source::guest};

template <class T>
asio::awaitable<void> keep(asio::awaitable<Result<T>> job, std::optional<Result<T>>& out) {
  out = co_await std::move(job);
}

struct World : daemon::test::StoreWorld {
  daemon::Inventory inventory;
  daemon::GuestTables tables{[this](Uuid vm, Timestamp time, std::vector<echo::Table> told) {
    keeper.tables().append(vm, time, std::move(told));
    keeper.touched();
  }};
  daemon::Collection collection{
      {.interval_ms = 5000, .top_processes = 10, .collectors = std::vector<std::string>()}};
  std::vector<Event> reported;
  int instructed = 0;
  daemon::DaemonBackend backend;

  explicit World(const std::filesystem::path& folder)
      : StoreWorld(folder), backend(clock, inventory, keeper, parts(), Millis(15'000)) {
    open();
    collection.remember(keeper.settings());
    Vm vm;
    vm.uuid = kVm;
    vm.name = "web";
    vm.state = VmState::running;
    inventory.setVms("fake:///system", {vm});
    tasks.spawn("run", keeper.run());
  }
  daemon::Parts parts() {
    daemon::Parts out;
    out.agent = [](Uuid) {
      AgentLink agent;
      agent.state = AgentLink::State::connected;
      agent.sequence = 3;
      agent.interval_ms = 5000;
      return agent;
    };
    out.instruct = [this](Uuid) { return ++instructed > 0; };
    out.report = [this](Event event) { reported.push_back(std::move(event)); };
    out.tables = &tables;
    out.collection = &collection;
    out.longest_interval = Millis(20'000);
    return out;
  }
  template <class T>
  Result<T> ask(asio::awaitable<Result<T>> job) {
    std::optional<Result<T>> out;
    tasks.spawn("ask", keep(std::move(job), out));
    REQUIRE(until([&] { return out.has_value(); }));
    return std::move(*out);
  }
  void row(Timestamp time, std::vector<double> values) {
    const auto columns = keeper.series().declare(
        kStream, std::array{SeriesName{"guest_disk_reads_total", {}, Kind::counter},
                            SeriesName{"guest_load1", {}, Kind::gauge},
                            SeriesName{"guest_gone", {}, Kind::gauge}});
    REQUIRE(keeper.series().append(kStream, {time, *columns, std::move(values)}) ==
            store::Appended::taken);
    keeper.touched();
  }
};

echo::Table processes(double pid) {
  return {.name = "processes", .columns = {"pid"}, .cells = {pid}};
}

}  // namespace

TEST_CASE("all that a guest told last is there: rates of counters, and nothing that is gone") {
  const Folder folder;
  World world(folder.path);
  const Timestamp start = world.clock.wall() - Millis(200'000);
  world.row(start, {100, 1, 7});
  world.row(start + Millis(190'000), {200, 2, kMissing});
  world.row(start + Millis(195'000), {250, 3, kMissing});
  Event event;
  event.time = start;
  event.kind = "guest.oom_kill";
  event.entity = kVm;
  world.keeper.events().append(event);
  event.kind = "vm.started";
  world.keeper.events().append(event);
  const auto echo = world.ask(world.backend.echo("web"));
  REQUIRE(echo);
  CHECK(echo->time == start + Millis(195'000));
  REQUIRE(echo->values.size() == 2);
  CHECK(echo->values[0].name.metric == "guest_disk_reads_total");
  CHECK(echo->values[0].rate_per_second == 10.0);
  CHECK(echo->values[1].value == 3);
  CHECK_FALSE(echo->values[1].rate_per_second);
  REQUIRE(echo->happenings.size() == 1);
  CHECK(echo->happenings[0].kind == "guest.oom_kill");
  CHECK(world.ask(world.backend.echo("nobody")).error().code == Code::not_found);
  world.finish();
}

TEST_CASE("a counter that was reset has no rate") {
  const Folder folder;
  World world(folder.path);
  const Timestamp start = world.clock.wall() - Millis(10'000);
  world.row(start, {100, 1, 1});
  world.row(start + Millis(5000), {3, 1, 1});
  const auto echo = world.ask(world.backend.echo("web"));
  REQUIRE(echo);
  CHECK_FALSE(echo->values.at(0).rate_per_second);
  world.finish();
}

TEST_CASE("tables are there as they are and as they were, also after a start") {
  const Folder folder;
  Timestamp start;
  {
    World world(folder.path);
    start = world.clock.wall() - Millis(600'000);
    for (int minute = 0; minute < 5; ++minute) {
      world.row(start + Millis(minute * 60'000), {1, 1, 1});
      world.tables.take(kVm, start + Millis(minute * 60'000), {processes(minute)});
    }
    world.finish();
  }
  World world(folder.path);
  const auto echo = world.ask(world.backend.echo("web"));
  REQUIRE(echo);
  REQUIRE(echo->tables.size() == 1);
  CHECK(echo->tables[0].table == processes(4));
  CHECK(echo->tables[0].time == start + Millis(240'000));
  const auto then = world.ask(world.backend.table("web", "processes", start + Millis(61'000)));
  REQUIRE(then);
  CHECK(then->view.table == processes(1));
  CHECK(world.ask(world.backend.table("web", "processes", std::nullopt))->view.table ==
        processes(4));
  const auto none = world.ask(world.backend.table("web", "peers", std::nullopt));
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::not_found);
  CHECK(none.error().message == "web told no table peers; it tells processes");
  world.finish();
}

TEST_CASE("what a VM's agent is to collect is changed, told, kept, and said once") {
  const Folder folder;
  {
    World world(folder.path);
    api::CollectionChange change;
    change.interval_ms.emplace(1000);
    const auto view = world.ask(world.backend.setCollection("web", change));
    REQUIRE(view);
    CHECK(view->in_force.interval_ms == 1000u);
    CHECK(view->in_force.top_processes == 10u);
    CHECK(view->connected);
    CHECK(world.instructed == 1);
    REQUIRE(world.reported.size() == 1);
    CHECK(world.reported[0].kind == "agent.collection");
    REQUIRE(world.ask(world.backend.setCollection("web", change)));
    CHECK(world.reported.size() == 1);
    world.finish();
  }
  World world(folder.path);
  CHECK(world.backend.collection("web")->own.interval_ms == 1000u);
  api::CollectionChange back;
  back.interval_ms.emplace();
  CHECK(world.ask(world.backend.setCollection("web", back))->in_force.interval_ms == 5000u);
  world.finish();
}

TEST_CASE("an interval with which a VM would be taken for silent after a move is refused") {
  const Folder folder;
  World world(folder.path);
  api::CollectionChange change;
  change.interval_ms.emplace(20'001);
  const auto refused = world.ask(world.backend.setCollection("web", change));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid);
  CHECK_THAT(refused.error().message, Catch::StartsWith("interval_ms: at most 20000"));
  CHECK(world.reported.empty());
  change.interval_ms.emplace(20'000);
  CHECK(world.ask(world.backend.setCollection("web", change)));
  world.finish();
}
