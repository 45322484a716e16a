#include "platform/fake_actions.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "base/task_group.h"
#include "platform/fake_environment.h"

using namespace virtseer;
using namespace virtseer::platform;
namespace asio = boost::asio;

namespace {

using State = Presence::State;
using Job = Presence::Job;
using Call = FakeActions::Call;

const Uuid kVm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");
constexpr auto kThere = "qemu+tls://there/system";

struct Bench {
  asio::io_context loop;
  FakeActions here{loop.get_executor()};
  FakeActions there{loop.get_executor()};
  TaskGroup tasks{loop.get_executor(),
                  [](const std::string&, const std::string& what) { FAIL_CHECK(what); }};
  std::optional<Result<MigrateEnd>> end;

  Bench() {
    here.link(kThere, there);
    here.add(kVm, "web");
  }

  void turn() {
    loop.restart();
    loop.poll();
  }

  template <class T>
  T get(asio::awaitable<T> task) {
    std::optional<T> out;
    asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T value) {
      REQUIRE_FALSE(error);
      out = std::move(value);
    });
    turn();
    REQUIRE(out);
    return std::move(*out);
  }

  static MigrateOrder order() {
    MigrateOrder out;
    out.vm = kVm;
    out.destination = kThere;
    return out;
  }

  static asio::awaitable<void> awaitMove(Bench* bench) {
    bench->end = co_await bench->here.migrate(order());
  }

  void beginMove() {
    here.holdMoves(true);
    tasks.spawn("move", awaitMove(this));
    turn();
    REQUIRE(here.moving(kVm));
  }
};

}  // namespace

TEST_CASE("a move that nobody holds is done at once") {
  Bench bench;
  const auto end = bench.get(bench.here.migrate(Bench::order()));
  REQUIRE(end);
  CHECK(end->downtime);
  CHECK(bench.get(bench.here.presence(kVm))->state == State::absent);
  const auto there = bench.get(bench.there.presence(kVm));
  CHECK(there->state == State::running);
  CHECK(there->defined);
  CHECK(there->job == Job::none);
}

TEST_CASE("while a move is held both sides tell of it, then it ends as the test wants") {
  Bench bench;
  bench.beginMove();
  CHECK(bench.here.runs(kVm));
  CHECK(bench.here.find(kVm)->presence.job == Job::migration_out);
  CHECK(bench.there.find(kVm)->presence.state == State::incoming);
  CHECK(bench.there.find(kVm)->presence.job == Job::migration_in);
  CHECK_FALSE(bench.there.find(kVm)->presence.defined);
  CHECK(bench.get(bench.here.progress(kVm)));

  SECTION("with success") {
    bench.here.switchOver(kVm);
    CHECK(bench.here.find(kVm)->presence.state == State::paused);
    CHECK(bench.there.runs(kVm));
    bench.turn();
    CHECK_FALSE(bench.end);
    bench.here.finishMove(kVm);
    bench.turn();
    REQUIRE(bench.end);
    CHECK(*bench.end);
    CHECK_FALSE(bench.here.find(kVm));
    CHECK(bench.there.find(kVm)->presence.job == Job::none);
  }
  SECTION("with an error") {
    bench.here.failMove(kVm, {Code::failed, "no"});
    bench.turn();
    REQUIRE(bench.end);
    CHECK(bench.end->error().message == "no");
    CHECK(bench.here.runs(kVm));
    CHECK(bench.here.find(kVm)->presence.job == Job::none);
    CHECK_FALSE(bench.there.find(kVm));
  }
  SECTION("with a lost reply: the call fails, the worlds are as the test leaves them") {
    bench.here.switchOver(kVm);
    bench.here.endCall(kVm, fail(Code::failed, "the reply is lost"));
    bench.here.endJobs(kVm);
    bench.here.vm(kVm).presence.state = State::running;
    bench.turn();
    REQUIRE(bench.end);
    CHECK(bench.here.runs(kVm));
    CHECK(bench.there.runs(kVm));
  }
  SECTION("by an abort") {
    CHECK(bench.get(bench.here.abortJob(kVm)));
    REQUIRE(bench.end);
    CHECK(bench.end->error().code == Code::cancelled);
    CHECK(bench.here.runs(kVm));
    CHECK_FALSE(bench.there.find(kVm));
  }
  SECTION("never, where aborts are ignored") {
    bench.here.ignoreAborts(true);
    CHECK(bench.get(bench.here.abortJob(kVm)));
    CHECK_FALSE(bench.end);
    CHECK(bench.here.moving(kVm));
  }
  SECTION("by a disconnect of the source, which settles nothing") {
    bench.here.disconnect("libvirtd died");
    bench.turn();
    REQUIRE(bench.end);
    CHECK(bench.end->error().code == Code::unreachable);
    CHECK(bench.there.find(kVm)->presence.state == State::incoming);
    CHECK(bench.get(bench.here.presence(kVm)).error().code == Code::unreachable);
    bench.here.reconnect();
    bench.here.finishMove(kVm);
    CHECK(bench.there.runs(kVm));
  }
  SECTION("and goes on when its awaiting coroutine is cancelled") {
    bench.tasks.cancel();
    bench.turn();
    CHECK(bench.tasks.size() == 0);
    CHECK(bench.here.moving(kVm));
    bench.here.finishMove(kVm);
    CHECK(bench.there.runs(kVm));
  }
  SECTION("with the death of the emulator") {
    bench.here.crash(kVm);
    bench.turn();
    REQUIRE(bench.end);
    CHECK_FALSE(*bench.end);
    CHECK(bench.here.find(kVm)->presence.crashed);
    CHECK(bench.here.find(kVm)->presence.state == State::off);
    CHECK_FALSE(bench.there.find(kVm));
  }
  if (bench.tasks.size() > 0) bench.tasks.cancel();
  bench.turn();
}

TEST_CASE("a move to nowhere, of nothing or beside another job is refused") {
  Bench bench;
  auto order = Bench::order();
  order.destination = "qemu+tls://nowhere/system";
  CHECK_FALSE(bench.get(bench.here.migrate(order)));
  order = Bench::order();
  order.vm = *Uuid::parse("bbbbbbbb-0000-4000-8000-000000000001");
  CHECK(bench.get(bench.here.migrate(order)).error().code == Code::not_found);
  bench.here.vm(kVm).presence.job = Job::other;
  CHECK(bench.get(bench.here.migrate(Bench::order())).error().code == Code::busy);
  CHECK(bench.here.runs(kVm));
}

TEST_CASE("a call can fail without effect, or take effect and lose its reply") {
  Bench bench;
  bench.here.failNext(Call::suspend, {Code::timeout, "slow"});
  CHECK(bench.get(bench.here.suspend(kVm)).error().code == Code::timeout);
  CHECK(bench.here.runs(kVm));
  bench.here.loseReply(Call::suspend, {Code::timeout, "slow"});
  CHECK(bench.get(bench.here.suspend(kVm)).error().code == Code::timeout);
  CHECK_FALSE(bench.here.runs(kVm));
  CHECK(bench.here.count("suspend " + kVm.text()) == 2);
}

TEST_CASE("what is done to a VM shows in the environment and is told") {
  asio::io_context loop;
  FakeEnvironment environment(loop.get_executor());
  std::vector<std::string> told;
  environment.onNotice(
      [&](const Notice& notice) { told.push_back(notice.detail + " " + notice.reason); });
  TaskGroup tasks(loop.get_executor(), [](const std::string&, const std::string&) {});
  tasks.spawn("environment", environment.run());
  Vm vm;
  vm.uuid = kVm;
  vm.name = "web";
  vm.state = VmState::running;
  vm.persistent = true;
  environment.setVm(vm);
  asio::co_spawn(loop, environment.actions().suspend(kVm), [](std::exception_ptr, Result<void>) {});
  asio::co_spawn(loop, environment.actions().destroy(kVm), [](std::exception_ptr, Result<void>) {});
  std::optional<Result<std::vector<Vm>>> vms;
  asio::co_spawn(loop, environment.vms(),
                 [&](std::exception_ptr, Result<std::vector<Vm>> list) { vms = std::move(list); });
  loop.poll();
  CHECK(told == std::vector<std::string>{" ", "suspended paused", "stopped destroyed"});
  REQUIRE(vms);
  CHECK((**vms)[0].state == VmState::shutoff);
  tasks.cancel();
  loop.restart();
  loop.poll();
}

TEST_CASE("the fake's VM whose host lost power is off for no known reason, and starts again") {
  Bench bench;
  bench.here.losePower(kVm);
  auto presence = bench.get(bench.here.presence(kVm)).value();
  CHECK(presence.state == State::off);
  CHECK(presence.defined);
  CHECK(presence.unexplained);
  CHECK_FALSE(presence.crashed);
  CHECK(bench.get(bench.here.start(kVm, "")));
  presence = bench.get(bench.here.presence(kVm)).value();
  CHECK(presence.state == State::running);
  CHECK_FALSE(presence.unexplained);

  bench.here.vm(kVm).presence.defined = false;
  bench.here.losePower(kVm);
  CHECK(bench.get(bench.here.presence(kVm)).value() == Presence{});
}
