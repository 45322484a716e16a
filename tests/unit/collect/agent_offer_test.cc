#include "unit/collect/agent_bench.h"

using namespace virtseer;
using namespace virtseer::collect;
using Bench = test::AgentBench;
using test::FakeAgent;

namespace {

const Uuid kPhone = *Uuid::parse("cccccccc-0000-4000-8000-000000000001");

/// Calls of agents: each is a channel of a VM that the links do not know.
struct Calls : Bench {
  Calls() { environment.setVm(runningVm(kPhone, "phone")); }

  platform::FakeGuestPort& phone() {
    return environment.port(kPhone, std::string(echo::kChannelName));
  }
  /// A new connection to the agent at the phone.
  Result<void> call(const std::string& from = "192.0.2.7") {
    std::unique_ptr<platform::Channel> channel;
    tasks.spawn("call",
                [](platform::Environment& world,
                   std::unique_ptr<platform::Channel>& out) -> asio::awaitable<void> {
                  auto opened = co_await world.openChannel(kPhone, std::string(echo::kChannelName));
                  out = std::move(*opened);
                }(environment, channel));
    REQUIRE(until([&] { return channel != nullptr; }));
    return links.offer(kVm, std::move(channel), from);
  }
  Vm bareVm() const {
    auto vm = runningVm(kVm, "web");
    vm.has_channel = false;
    return vm;
  }
};

}  // namespace

TEST_CASE("an agent that calls is served like one behind the VM's channel") {
  Calls bench;
  bench.setVms({bench.bareVm()});
  FakeAgent agent(bench.phone(), 7);
  REQUIRE(bench.call());
  REQUIRE(bench.untilState(AgentLink::State::connected));
  agent.echo();
  REQUIRE(bench.untilWhole(2));
  bench.commit();
  REQUIRE(bench.until([&] { return agent.session().kept() == 0; }));
  CHECK(bench.environment.count("openChannel aaaaaaaa") == 0);
  CHECK(bench.events.back().message == "web: agent 7 connected from 192.0.2.7");
  CHECK(bench.links.view(kVm).caller == "192.0.2.7");
  CHECK_FALSE(goesAlong(bench.links.view(kVm)));
  bench.setVms({bench.bareVm()});
  CHECK(bench.links.view(kVm).state == AgentLink::State::connected);
}

TEST_CASE("an agent that calls anew takes the place of its earlier call, without loss or double") {
  Calls bench;
  bench.setVms({bench.bareVm()});
  FakeAgent agent(bench.phone(), 7);
  for (std::size_t last = 1; last <= 3; ++last) {
    REQUIRE(bench.call());
    REQUIRE(bench.untilWhole(last));
    bench.commit();
  }
  CHECK(bench.links.view(kVm).lost == 0);
  CHECK(bench.links.view(kVm).duplicates == 0);
  CHECK(bench.count("agent.connected") == 1);
}

TEST_CASE("a call takes the place of a channel behind which nobody answers") {
  Calls bench;
  bench.port().stopReading(true);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.port().hostConnected(); }));
  FakeAgent agent(bench.phone(), 7);
  REQUIRE(bench.call());
  REQUIRE(bench.untilState(AgentLink::State::connected));
  CHECK_FALSE(bench.port().hostConnected());
}

TEST_CASE("an agent that ended its call is told to be lost, and welcome when it calls again") {
  Calls bench;
  bench.setVms({bench.bareVm()});
  {
    FakeAgent agent(bench.phone(), 7);
    REQUIRE(bench.call());
    REQUIRE(bench.untilState(AgentLink::State::connected));
  }
  bench.environment.removeVm(kPhone);
  REQUIRE(bench.untilState(AgentLink::State::connecting));
  bench.clock.advance(Millis(11'000));
  REQUIRE(bench.untilState(AgentLink::State::absent));
  CHECK(bench.count("agent.lost") == 1);
  bench.environment.setVm(runningVm(kPhone, "phone"));
  FakeAgent again(bench.phone(), 7);
  REQUIRE(bench.call());
  REQUIRE(bench.untilState(AgentLink::State::connected));
}

TEST_CASE("a call ends with the token that let it in, and what came by the channel stays") {
  Calls bench;
  bench.setVms({bench.bareVm()});
  FakeAgent agent(bench.phone(), 7);
  REQUIRE(bench.call());
  REQUIRE(bench.untilState(AgentLink::State::connected));
  bench.links.endCall(kVm);
  REQUIRE(bench.until([&] { return !bench.phone().hostConnected(); }));
  REQUIRE(bench.untilState(AgentLink::State::connecting));
  bench.clock.advance(Millis(11'000));
  REQUIRE(bench.untilState(AgentLink::State::absent));

  FakeAgent inside(bench.port(), 8);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.untilState(AgentLink::State::connected));
  bench.links.endCall(kVm);
  const auto before = bench.taken();
  inside.echo();
  REQUIRE(bench.until([&] { return bench.taken() > before; }));
  CHECK(bench.port().hostConnected());
  bench.links.endCall(kPhone);
}

TEST_CASE("calls are refused for VMs that are not here, do not run, or misbehaved just now") {
  Calls bench;
  FakeAgent agent(bench.phone(), 7);
  CHECK(bench.call().error().code == Code::not_found);
  auto vm = bench.bareVm();
  vm.state = VmState::shutoff;
  bench.setVms({vm});
  CHECK(bench.call().error().code == Code::refused);
  bench.setVms({bench.bareVm()});
  REQUIRE(bench.call());
  REQUIRE(bench.untilState(AgentLink::State::connected));
  for (int i = 0; i < 20; ++i) bench.phone().write(echo::encode(echo::Ack{1, 1}));
  REQUIRE(bench.untilState(AgentLink::State::refused));
  CHECK(bench.call().error().code == Code::busy);
  bench.clock.advance(Millis(10));
  CHECK(bench.call());
  REQUIRE(bench.untilState(AgentLink::State::connected));
  vm.state = VmState::shutoff;
  bench.setVms({vm});
  REQUIRE(bench.until([&] { return !bench.phone().hostConnected(); }));
  CHECK(bench.links.view(kVm).reason == "the VM is shutoff");
}
