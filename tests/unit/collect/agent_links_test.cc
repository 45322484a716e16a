#include "collect/agent_links.h"

#include "agent/session.h"
#include "unit/collect/bench.h"

using namespace virtseer;
using namespace virtseer::collect;
using platform::FakeEnvironment;

namespace {

const StreamId kStream{kVm, Source::guest};

/// A real agent's session at the guest's end of a fake port.
class FakeAgent {
 public:
  FakeAgent(platform::FakeGuestPort& port, std::uint64_t epoch)
      : port_(port),
        session_({.epoch = epoch, .version = "7", .role = "lab", .interval_ms = 1000}) {
    session_.columns().add("guest_ticks_total");
    port_.onActivity([this] { run(); });
    run();
  }
  ~FakeAgent() { port_.onActivity(nullptr); }

  void echo() {
    mono_ms_ += 1000;
    std::vector<double> values(session_.columns().size(), 1.0);
    session_.push(mono_ms_, values);
    run();
  }
  void run() {
    if (port_.hostConnected()) session_.receive(port_.takeReceived());
    if (session_.takeFresh()) echo();
    if (const auto load = session_.takeLoad(); load && answers_loads)
      session_.answer({load->id, accepts_loads, accepts_loads ? "" : "not a lab guest"});
    while (true) {
      const auto bytes = session_.pending(mono_ms_);
      const auto taken = bytes.empty() ? 0 : port_.write(bytes);
      if (taken == 0) return;
      session_.sent(taken);
    }
  }
  agent::Session& session() { return session_; }

  bool answers_loads = true, accepts_loads = true;

 private:
  platform::FakeGuestPort& port_;
  std::int64_t mono_ms_ = 10'000;
  agent::Session session_;
};

struct Bench : LoopBench {
  ManualClock clock{kStart};
  FakeEnvironment environment{loop.get_executor()};
  RecordedRows rows;
  std::vector<Event> events;
  EchoPosition stored;
  AgentLinks links;

  Bench()
      : links(
            loop.get_executor(), clock,
            {.limits = {},
             .settings = {.interval_ms = 1000, .top_processes = {}, .collectors = {}},
             .first_retry = Millis(1),
             .retry = Millis(2),
             .max_retry = Millis(4),
             .max_penalty = Millis(8)},
            rows.sink(), [this](Uuid) { return stored; },
            [this](Event event) { events.push_back(std::move(event)); }) {
    environment.setVm(runningVm(kVm, "web"));
  }
  ~Bench() {
    bool ended = false;
    tasks.spawn("stop", [](AgentLinks& all, bool& done) -> asio::awaitable<void> {
      co_await all.stop();
      done = true;
    }(links, ended));
    CHECK(until([&] { return ended; }));
  }

  void setVms(std::vector<Vm> vms) { links.setVms(environment, vms); }
  platform::FakeGuestPort& port() { return environment.port(kVm, std::string(echo::kChannelName)); }
  std::size_t taken() { return rows.rows(kStream).size(); }
  std::size_t count(const std::string& kind) const {
    return static_cast<std::size_t>(std::count_if(events.begin(), events.end(),
                                                  [&](const Event& e) { return e.kind == kind; }));
  }
  /// Turns until echoes 1 to `last`, at least, are stored, each once and in order.
  bool untilWhole(std::size_t last) {
    if (!until([&] { return taken() >= last; })) return false;
    for (std::size_t i = 0; i < taken(); ++i) {
      if (rows.rows(kStream)[i].values[1] != static_cast<double>(i + 1)) return false;
      if (i > 0 && rows.rows(kStream)[i].time <= rows.rows(kStream)[i - 1].time) return false;
    }
    return true;
  }
  bool untilState(AgentLink::State state) {
    return until([&] { return links.view(kVm).state == state; });
  }
  void commit() {
    links.commitTaken();
    links.committed();
  }
};

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
