#include "platform/fake_environment.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "base/task_group.h"

using namespace virtseer;
using namespace virtseer::platform;
namespace asio = boost::asio;

namespace {

const Uuid kVm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");

struct Bench {
  asio::io_context loop;
  FakeEnvironment fake{loop.get_executor()};

  Bench() {
    Vm vm;
    vm.uuid = kVm;
    vm.name = "one";
    vm.state = VmState::running;
    vm.has_channel = true;
    fake.setVm(vm);
  }

  /// Starts a call and turns the loop until nothing is ready; the result if it has come.
  template <class T>
  std::shared_ptr<std::optional<T>> start(asio::awaitable<T> task) {
    auto out = std::make_shared<std::optional<T>>();
    asio::co_spawn(loop, std::move(task), [out](std::exception_ptr error, T value) {
      if (!error) *out = std::move(value);
    });
    turn();
    return out;
  }
  void turn() {
    loop.restart();
    loop.poll();
  }
  std::unique_ptr<Channel> open() {
    auto opened = start(fake.openChannel(kVm, "port"));
    REQUIRE(opened->has_value());
    REQUIRE(**opened);
    return std::move(***opened);
  }
};

}  // namespace

TEST_CASE("bytes go both ways through a fake channel") {
  Bench bench;
  const auto channel = bench.open();
  auto& guest = bench.fake.port(kVm, "port");
  CHECK(guest.hostConnected());
  CHECK(*bench.start(channel->write("to the guest")));
  CHECK(guest.takeReceived() == "to the guest");
  const auto reading = bench.start(channel->read());
  CHECK_FALSE(reading->has_value());
  CHECK(guest.write("to the host") == 11);
  bench.turn();
  REQUIRE(reading->has_value());
  CHECK(**reading == "to the host");
}

TEST_CASE("a guest whose host does not read loses nothing unseen: the port is full") {
  Bench bench;
  auto& guest = bench.fake.port(kVm, "port");
  CHECK(guest.write("nobody reads") == 0);
  const auto channel = bench.open();
  const std::string much(FakeGuestPort::kLimit, 'x');
  CHECK(guest.write(much) == much.size());
  CHECK(guest.write("y") == 0);
  CHECK((*bench.start(channel->read()))->value().size() == Inbox::kMaxTake);
  CHECK(guest.write("y") == 1);
}

TEST_CASE("a guest that does not read makes writes wait, then fail") {
  Bench bench;
  const auto channel = bench.open();
  auto& guest = bench.fake.port(kVm, "port");
  guest.stopReading(true);
  const auto waiting = bench.start(channel->write("a"));
  CHECK_FALSE(waiting->has_value());
  const auto refused = bench.start(channel->write(std::string(FakeGuestPort::kLimit, 'x')));
  REQUIRE(refused->has_value());
  CHECK((*refused)->error().code == Code::busy);
  guest.stopReading(false);
  bench.turn();
  REQUIRE(waiting->has_value());
  CHECK(guest.takeReceived() == "a");
}

TEST_CASE("a stopped VM ends its channels, and the guest sees a host that leaves") {
  Bench bench;
  auto channel = bench.open();
  auto& guest = bench.fake.port(kVm, "port");
  const auto reading = bench.start(channel->read());
  bench.fake.setState(kVm, VmState::shutoff, "stopped", "crashed");
  bench.turn();
  REQUIRE(reading->has_value());
  CHECK((*reading)->error().code == Code::unreachable);
  CHECK((*bench.start(bench.fake.openChannel(kVm, "port")))->error().code == Code::unreachable);
  bench.fake.setState(kVm, VmState::running, "started", "booted");
  channel = bench.open();
  CHECK(guest.hostConnected());
  channel.reset();
  CHECK_FALSE(guest.hostConnected());
  CHECK(guest.opened() == 2);
}

TEST_CASE("a channel may be destroyed while somebody reads it") {
  Bench bench;
  auto channel = bench.open();
  const auto reading = bench.start(channel->read());
  channel.reset();
  bench.turn();
  REQUIRE(reading->has_value());
  CHECK((*reading)->error().code == Code::cancelled);
}

TEST_CASE("calls can be held and made to fail") {
  Bench bench;
  bench.fake.hold(FakeEnvironment::Call::statistics);
  const auto held = bench.start(bench.fake.statistics());
  CHECK_FALSE(held->has_value());
  CHECK(bench.fake.held(FakeEnvironment::Call::statistics) == 1);
  CHECK(bench.start(bench.fake.vms())->has_value());
  bench.fake.release(FakeEnvironment::Call::statistics);
  bench.turn();
  REQUIRE(held->has_value());
  CHECK((*held)->value().size() == 1);

  bench.fake.failNext(FakeEnvironment::Call::vms, {Code::timeout, "slow"});
  CHECK((*bench.start(bench.fake.vms()))->error().code == Code::timeout);
  CHECK(bench.start(bench.fake.vms())->value().has_value());
  CHECK(bench.fake.status().calls_timed_out == 1);
  CHECK(bench.fake.count("vms") == 3);
}

TEST_CASE("a lost hypervisor is noticed, and so is its return") {
  Bench bench;
  std::vector<Notice::Kind> seen;
  bench.fake.onNotice([&](const Notice& notice) { seen.push_back(notice.kind); });
  TaskGroup tasks(bench.loop.get_executor(), [](const auto&, const auto&) {});
  tasks.spawn("environment", bench.fake.run());
  bench.turn();
  const auto channel = bench.open();
  bench.fake.disconnect("killed");
  CHECK((*bench.start(channel->read()))->error().code == Code::unreachable);
  CHECK((*bench.start(bench.fake.vms()))->error().code == Code::unreachable);
  bench.fake.reconnect();
  CHECK(bench.fake.status().reconnects == 1);
  CHECK(seen ==
        std::vector{Notice::Kind::connected, Notice::Kind::disconnected, Notice::Kind::connected});
  tasks.cancel();
  bench.turn();
  CHECK(tasks.size() == 0);
}
