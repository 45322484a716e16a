#include "unit/collect/agent_bench.h"

/// Links that end, never come about, or change hands.
using namespace virtseer;
using namespace virtseer::collect;
using Bench = test::AgentBench;
using test::FakeAgent;

namespace {

const StreamId kStream{kVm, Source::guest};

}  // namespace

TEST_CASE("a channel that ends is opened again and nothing is lost or doubled") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.taken() == 1; }));
  for (std::size_t round = 2; round <= 5; ++round) {
    bench.clock.advance(Millis(1000));
    bench.environment.disconnect("gone");
    bench.environment.reconnect();
    REQUIRE(bench.until([&] { return bench.taken() == round; }));
  }
  for (std::size_t i = 0; i < bench.taken(); ++i)
    CHECK(bench.rows.rows(kStream)[i].values[1] == static_cast<double>(i + 1));
  CHECK(bench.links.view(kVm).duplicates > 0);
  CHECK(bench.count("agent.connected") == 1);
  CHECK(bench.count("agent.lost") == 0);
}

TEST_CASE("an agent that stays away for ten seconds is reported lost once, and found again") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.untilState(AgentLink::State::connected));
  bench.environment.disconnect("gone");
  REQUIRE(bench.untilState(AgentLink::State::connecting));
  bench.clock.advance(Millis(11'000));
  REQUIRE(bench.until([&] { return bench.count("agent.lost") == 1; }));
  bench.environment.reconnect();
  REQUIRE(bench.until([&] { return bench.count("agent.connected") == 2; }));
  CHECK(bench.count("agent.lost") == 1);
}

TEST_CASE(
    "an agent that falls silent on an open channel is greeted again and reported lost in the end") {
  Bench bench;
  {
    FakeAgent agent(bench.port(), 7);
    bench.setVms({runningVm(kVm, "web")});
    REQUIRE(bench.until([&] { return bench.taken() == 1; }));
  }
  bench.clock.advance(Millis(11'000));
  bench.commit();  // its acknowledgement wakes the sender, whose timer knows real time only
  REQUIRE(bench.untilState(AgentLink::State::connecting));
  CHECK(bench.links.view(kVm).reason == "the agent has been silent for too long");
  CHECK(bench.count("agent.lost") == 0);
  CHECK(bench.environment.count("openChannel") == 1);

  FakeAgent restarted(bench.port(), 8);
  REQUIRE(bench.untilState(AgentLink::State::connected));
  CHECK(bench.count("agent.restarted") == 1);
}

TEST_CASE("a channel on which no greeting is answered is opened anew") {
  Bench bench;
  bench.port().stopReading(true);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.port().hostConnected(); }));
  CHECK(bench.environment.count("openChannel") == 1);
  bench.clock.advance(Millis(25));
  REQUIRE(bench.until([&] { return bench.environment.count("openChannel") == 2; }));
  REQUIRE(bench.until([&] { return bench.port().hostConnected(); }));
  CHECK(bench.links.view(kVm).reason == "waiting for the agent in the guest to answer");

  bench.port().stopReading(false);
  FakeAgent agent(bench.port(), 7);
  REQUIRE(bench.untilState(AgentLink::State::connected));
  CHECK(bench.count("agent.lost") == 0);
}

TEST_CASE("a VM that stops loses its link, and gets it back when it runs again") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.untilState(AgentLink::State::connected));
  auto vm = runningVm(kVm, "web");
  vm.state = VmState::shutoff;
  bench.setVms({vm});
  CHECK(bench.links.view(kVm).state == AgentLink::State::absent);
  CHECK(bench.links.view(kVm).reason == "the VM is shutoff");
  REQUIRE(bench.until([&] { return !bench.port().hostConnected(); }));
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.untilState(AgentLink::State::connected));
  CHECK(bench.count("agent.connected") == 2);
}

TEST_CASE("a VM without the channel gets a reason and no attempt") {
  Bench bench;
  auto vm = runningVm(kVm, "web");
  vm.has_channel = false;
  bench.setVms({vm});
  bench.turn();
  CHECK(bench.links.view(kVm).state == AgentLink::State::absent);
  CHECK(bench.links.view(kVm).reason == "the VM has no virtio channel named org.virtseer.echo.0");
  CHECK(bench.environment.count("openChannel") == 0);
}

TEST_CASE("a VM that is gone keeps its counts in the totals") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.taken() == 1; }));
  bench.setVms({});
  CHECK(bench.links.totals().echoes == 1);
  CHECK(bench.links.totals().connected == 0);
  CHECK(bench.links.view(kVm).reason == "the VM is not on this host");
}

TEST_CASE("a guest that sends garbage is closed, stores nothing and is tried again later") {
  Bench bench;
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.port().hostConnected(); }));
  {
    FakeAgent agent(bench.port(), 7);
    REQUIRE(bench.until([&] { return bench.taken() == 1; }));
  }
  const auto before = bench.taken();
  std::string bad;
  for (int i = 0; i < 10; ++i) bad += echo::encode(echo::Ack{1, 1});
  bench.port().write(bad);
  REQUIRE(bench.untilState(AgentLink::State::refused));
  CHECK(bench.links.view(kVm).faults == 8);
  CHECK(bench.links.view(kVm).reason ==
        "closed: 8 faulty frames, the last: a frame that only a daemon sends");
  CHECK(bench.taken() == before);
  CHECK(bench.count("agent.closed") == 1);
  FakeAgent well(bench.port(), 8);
  REQUIRE(bench.untilState(AgentLink::State::connected));
}

TEST_CASE("after a swap of stores the agent is asked for what the new one lacks") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.taken() == 1; }));
  bench.rows.streams.clear();
  bench.links.storeSwapped();
  REQUIRE(bench.until([&] { return bench.taken() == 2; }));
  CHECK(bench.rows.rows(kStream).front().values[1] == 1);
}

TEST_CASE("a daemon that starts anew goes on behind what its store holds") {
  Bench bench;
  bench.stored = {
      .epoch = 7, .sequence = 2, .dropped = 0, .asked = 0, .last = kStart - Millis(500)};
  FakeAgent agent(bench.port(), 7);
  for (int i = 0; i < 4; ++i) agent.echo();
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.taken() == 3; }));
  CHECK(bench.rows.rows(kStream).front().values[1] == 3);
  CHECK(bench.rows.rows(kStream).front().time > kStart - Millis(500));
}
