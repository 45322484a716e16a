#include "unit/collect/agent_bench.h"

using namespace virtseer;
using namespace virtseer::collect;
using Bench = test::AgentBench;
using test::FakeAgent;

namespace {

const StreamId kStream{kVm, Source::guest};

}  // namespace

TEST_CASE("a VM that runs and has the channel is greeted and its echoes are stored") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.untilState(AgentLink::State::connected));
  bench.clock.advance(Millis(1000));
  agent.echo();
  REQUIRE(bench.until([&] { return bench.taken() == 2; }));
  CHECK(bench.rows.last(kStream, "echo_sequence") == 2);
  CHECK(bench.rows.last(kStream, "echo_epoch") == 7);
  const auto view = bench.links.view(kVm);
  CHECK(view.agent_version == "7");
  CHECK(view.sequence == 2);
  CHECK(view.echoes == 2);
  CHECK(view.last_echo == bench.clock.wall());
  CHECK(view.interval_ms == 1000u);
  CHECK(bench.count("agent.connected") == 1);
  CHECK(bench.links.totals().connected == 1);
  CHECK(goesAlong(bench.links.view(kVm)));
}

TEST_CASE("what becomes of an agent's source is shown without another greeting") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  agent.session().setSources({{"ebpf", "in part: programs are being loaded"}});
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.untilState(AgentLink::State::connected));
  CHECK(bench.links.view(kVm).sources.at("ebpf") == "in part: programs are being loaded");
  agent.session().setSources({{"ebpf", "on"}});
  agent.run();
  REQUIRE(bench.until([&] { return bench.links.view(kVm).sources.at("ebpf") == "on"; }));
  CHECK(bench.links.view(kVm).faults == 0);
}

TEST_CASE("an echo is acknowledged only once it is stored") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.taken() == 1; }));
  CHECK(agent.session().kept() == 1);
  bench.links.commitTaken();
  agent.echo();
  REQUIRE(bench.until([&] { return bench.taken() == 2; }));
  bench.links.committed();
  REQUIRE(bench.until([&] { return agent.session().kept() == 1; }));
  bench.commit();
  REQUIRE(bench.until([&] { return agent.session().kept() == 0; }));
}

TEST_CASE("rows that the store has no room for stay with the agent and come again later") {
  Bench bench;
  bench.rows.fate = store::Appended::overflow;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.links.totals().counts.overflow_rows >= 3; }));
  bench.commit();
  bench.turn();
  CHECK(bench.taken() == 0);
  CHECK(agent.session().kept() >= 3);
  CHECK(bench.links.view(kVm).reason == "the store has no room: the agent keeps its echoes");
  bench.rows.fate = store::Appended::taken;
  REQUIRE(bench.untilWhole(4));
  CHECK(bench.links.view(kVm).lost == 0);
  bench.commit();
  REQUIRE(bench.until([&] { return agent.session().kept() == 0; }));
}

TEST_CASE(
    "a fault of the daemon in the middle of a row costs the attempt, not the row nor the link") {
  Bench bench;
  bench.rows.throws = 2;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.untilWhole(3));
  CHECK(bench.count("agent.failed") == 1);
  CHECK(bench.links.totals().failures == 2);
  CHECK(bench.links.view(kVm).lost == 0);
}

TEST_CASE("while the wall clock is set back guests keep their echoes; it is said once per step") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  for (std::size_t step = 1; step <= 2; ++step) {
    REQUIRE(bench.until([&] { return bench.taken() >= 1 && agent.session().kept() > 0; }));
    bench.commit();
    const auto before = bench.taken();
    bench.clock.stepWall(Millis(-3'600'000));
    agent.echo();
    const auto late = bench.links.totals().counts.late_rows;
    REQUIRE(bench.until([&] { return bench.links.totals().counts.late_rows >= late + 3; }));
    bench.commit();
    CHECK(bench.taken() == before);
    CHECK(bench.count("clock.stepped_back") == step);
    bench.clock.stepWall(Millis(3'800'000));
    REQUIRE(bench.untilWhole(before + 3));
    CHECK(bench.links.view(kVm).lost == 0);
  }
  CHECK(bench.events.back().kind == "clock.stepped_back");
}

TEST_CASE("totals never go down when a VM leaves and comes back") {
  Bench bench;
  AgentTotals before;
  for (std::uint64_t epoch = 7; epoch < 10; ++epoch) {
    const auto seen = bench.taken();
    FakeAgent agent(bench.port(), epoch);
    bench.setVms({runningVm(kVm, "web")});
    REQUIRE(bench.until([&] { return bench.taken() > seen; }));
    bench.port().write(echo::encode(echo::Ack{1, 1}));
    REQUIRE(bench.until([&] { return bench.links.totals().faults > before.faults; }));
    const auto with = bench.links.totals();
    bench.setVms({});
    bench.turn();
    const auto without = bench.links.totals();
    CHECK(without.echoes >= with.echoes);
    CHECK(without.faults >= with.faults);
    CHECK(without.duplicates >= with.duplicates);
    CHECK(without.lost >= with.lost);
    CHECK(without.echoes > before.echoes);
    before = without;
  }
}

TEST_CASE("a load is given to the guest and its answer comes back") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.untilState(AgentLink::State::connected));
  std::optional<Result<std::uint64_t>> answer;
  const auto order = [&](Millis deadline) {
    answer.reset();
    bench.tasks.spawn("load",
                      [](AgentLinks& links, Millis wait,
                         std::optional<Result<std::uint64_t>>& out) -> asio::awaitable<void> {
                        echo::Load load;
                        load.cpu_cores = 1;
                        out = co_await links.load(kVm, load, wait);
                      }(bench.links, deadline, answer));
    REQUIRE(bench.until([&] { return answer.has_value(); }));
  };
  SECTION("taken on") {
    order(Millis(10'000));
    CHECK(answer->has_value());
  }
  SECTION("refused") {
    agent.accepts_loads = false;
    order(Millis(10'000));
    REQUIRE_FALSE(answer->has_value());
    CHECK(answer->error() == Error{Code::refused, "the guest refused: not a lab guest"});
  }
  SECTION("not answered") {
    agent.answers_loads = false;
    order(Millis(1));
    REQUIRE_FALSE(answer->has_value());
    CHECK(answer->error().code == Code::timeout);
  }
  SECTION("without a link") {
    bench.setVms({});
    order(Millis(10'000));
    CHECK(answer->error().code == Code::not_found);
  }
}

TEST_CASE("a guest that is not there yet costs one open channel and no further call") {
  Bench bench;
  bench.port().stopReading(true);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.port().hostConnected(); }));
  bench.turn();
  CHECK(bench.environment.count("openChannel") == 1);
  CHECK(bench.links.view(kVm).state == AgentLink::State::connecting);
  CHECK(bench.links.view(kVm).reason == "waiting for the agent in the guest to answer");
}
