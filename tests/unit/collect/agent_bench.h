#pragma once

#include "agent/session.h"
#include "collect/agent_links.h"
#include "store/table_log.h"
#include "unit/collect/bench.h"

/// Links to agents over fake ports, with a real agent's session at the other end.
namespace virtseer::collect::test {

inline const StreamId kGuestStream{kVm, Source::guest};

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

  void echo(const echo::Report& report = {}) {
    mono_ms_ += 1000;
    std::vector<double> values(session_.columns().size(), 1.0);
    session_.push(mono_ms_, values, report);
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

struct AgentBench : LoopBench {
  ManualClock clock{kStart};
  platform::FakeEnvironment environment{loop.get_executor()};
  RecordedRows rows;
  std::vector<Event> events;
  EchoPosition stored;
  EchoMark told;
  std::size_t room = 1000;  ///< for events of guests
  std::vector<store::KeptTable> tables;
  echo::Settings settings{.interval_ms = 1000, .top_processes = {}, .collectors = {}};
  AgentLinks links;

  AgentBench()
      : links(
            loop.get_executor(), clock,
            {.limits = {.patience = Millis(20)},
             .settings = {},
             .first_retry = Millis(1),
             .retry = Millis(2),
             .max_retry = Millis(4),
             .max_penalty = Millis(8),
             .instructions = [this](Uuid) { return settings; }},
            rows.sink(), [this](Uuid) { return stored; },
            [this](Event event) { events.push_back(std::move(event)); },
            {.room = [this](std::size_t count) { return count <= room; },
             .happened = [this](Event event) { events.push_back(std::move(event)); },
             .tables =
                 [this](Uuid, Timestamp time, std::vector<echo::Table> told_now) {
                   for (auto& table : told_now) tables.push_back({time, std::move(table)});
                 },
             .told = [this](Uuid) { return told; }}) {
    environment.setVm(runningVm(kVm, "web"));
  }
  ~AgentBench() {
    bool ended = false;
    tasks.spawn("stop", [](AgentLinks& all, bool& done) -> asio::awaitable<void> {
      co_await all.stop();
      done = true;
    }(links, ended));
    CHECK(until([&] { return ended; }));
  }

  void setVms(std::vector<Vm> vms) { links.setVms(environment, vms); }
  platform::FakeGuestPort& port() { return environment.port(kVm, std::string(echo::kChannelName)); }
  std::size_t taken() { return rows.rows(kGuestStream).size(); }
  std::size_t count(const std::string& kind) const {
    return static_cast<std::size_t>(std::count_if(events.begin(), events.end(),
                                                  [&](const Event& e) { return e.kind == kind; }));
  }
  /// Turns until echoes 1 to `last`, at least, are stored, each once and in order.
  bool untilWhole(std::size_t last) {
    if (!until([&] { return taken() >= last; })) return false;
    for (std::size_t i = 0; i < taken(); ++i) {
      if (rows.rows(kGuestStream)[i].values[1] != static_cast<double>(i + 1)) return false;
      if (i > 0 && rows.rows(kGuestStream)[i].time <= rows.rows(kGuestStream)[i - 1].time)
        return false;
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

}  // namespace virtseer::collect::test
