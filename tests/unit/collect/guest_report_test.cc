#include "unit/collect/agent_bench.h"

/// What a guest tells beside its rows: events and tables.
using namespace virtseer;
using namespace virtseer::collect;
using Bench = test::AgentBench;
using test::FakeAgent;

namespace {

echo::Happening happening(std::string message, std::int64_t mono_ms = 0, std::uint32_t count = 1) {
  return {.kind = "guest.oom_kill",
          .severity = echo::HappeningSeverity::error,
          .mono_ms = mono_ms,
          .count = count,
          .message = std::move(message),
          .fields = {{"process", "mysqld"}, {"echo", "1:999"}}};
}

std::vector<GuestHappening> many(std::size_t count) {
  return std::vector<GuestHappening>(count, GuestHappening{kStart, happening("killed")});
}

/// The first rows of a session whose agent has run for 100 s.
std::vector<EchoRow> rowsOf(const echo::Report& report, std::int64_t echo_mono_ms) {
  EchoSession session({}, {});
  const auto now = EchoSession::Instant{} + Millis(1);
  session.start(5, 0, 0, {}, now);
  std::string bytes = echo::encode(echo::Hello{.nonce = 5,
                                               .agent_version = "7",
                                               .epoch = 9,
                                               .first_sequence = 1,
                                               .mono_ms = 100'000,
                                               .interval_ms = 1000,
                                               .role = "",
                                               .sources = {}});
  bytes += echo::encode(echo::Catalogue{0, {}});
  bytes += echo::encode(echo::Echo{1, echo_mono_ms, {}, report});
  std::vector<EchoRow> rows;
  for (auto& outcome : session.receive(bytes, kStart, now))
    if (auto* row = std::get_if<EchoRow>(&outcome)) rows.push_back(std::move(*row));
  return rows;
}

}  // namespace

TEST_CASE("a happening is as much older than its row as the guest says, and never later") {
  const echo::Report report{{},
                            {happening("a", 95'000), happening("b", 200'000),
                             happening("c", INT64_MIN), happening("d", INT64_MAX)}};
  const auto rows = rowsOf(report, 100'000);
  REQUIRE(rows.size() == 1);
  const auto& told = rows[0].happenings;
  REQUIRE(told.size() == 4);
  CHECK(told[0].time == rows[0].time - Millis(5000));
  CHECK(told[1].time == rows[0].time);
  CHECK(told[2].time == rows[0].time - EchoSession::kMaxAge);
  CHECK(told[3].time == rows[0].time);
}

TEST_CASE("a happening becomes an event of the VM that says which echo told it") {
  GuestNews news;
  const auto events =
      news.events(kVm, {7, 3}, kStart, {{kStart - Millis(5), happening("x", 0, 4)}});
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == "guest.oom_kill");
  CHECK(events[0].severity == Severity::error);
  CHECK(events[0].entity == kVm);
  CHECK(events[0].time == kStart - Millis(5));
  CHECK(events[0].message == "x (4 times)");
  CHECK(events[0].fields ==
        std::map<std::string, std::string>{{"process", "mysqld"}, {"count", "4"}, {"echo", "7:3"}});
  CHECK(echoOf(events[0]) == EchoMark{7, 3});
}

TEST_CASE("no event but a guest's says which echo told it") {
  Event event;
  event.kind = "vm.started";
  event.fields = {{"echo", "7:3"}};
  CHECK_FALSE(echoOf(event));
  event.kind = "guest.oom_kill";
  CHECK(echoOf(event) == EchoMark{7, 3});
  for (const char* wrong : {"", "7", "7:", ":3", "7:3 ", "-7:3", "99999999999999999999:1"}) {
    event.fields["echo"] = wrong;
    CHECK_FALSE(echoOf(event));
  }
}

TEST_CASE("happenings that are stored already are not told again, but for a VM that was reverted") {
  GuestNews news;
  news.resume({7, 10});
  CHECK(news.events(kVm, {7, 9}, kStart, many(1)).empty());
  CHECK(news.events(kVm, {7, 10}, kStart, many(1)).empty());
  CHECK(news.events(kVm, {7, 11}, kStart, many(1)).size() == 1);
  CHECK(news.events(kVm, {8, 1}, kStart, many(1)).size() == 1);
  news.greeted(7, 11);
  CHECK(news.events(kVm, {7, 10}, kStart, many(1)).empty());
  news.greeted(7, 6);
  CHECK(news.events(kVm, {7, 5}, kStart, many(1)).empty());
  CHECK(news.events(kVm, {7, 6}, kStart, many(1)).size() == 1);
}

TEST_CASE("a flood of happenings is cut, counted, and said once an hour") {
  GuestNews news;
  auto events = news.events(kVm, {7, 1}, kStart, many(300));
  CHECK(news.taken() == 200);
  CHECK(news.dropped() == 100);
  REQUIRE(events.size() == 201);
  CHECK(events.back().kind == "agent.happenings_dropped");
  CHECK(events.back().entity == kVm);
  CHECK_FALSE(echoOf(events.back()));
  events = news.events(kVm, {7, 2}, kStart + Millis(60'000), many(20));
  CHECK(events.size() == 10);
  CHECK(news.dropped() == 110);
  events = news.events(kVm, {7, 3}, kStart + Millis(3'600'000), many(300));
  CHECK(events.size() == 201);
}

TEST_CASE("the replay of a long break is no flood") {
  GuestNews news;
  for (int minute = 0; minute < 600; ++minute)
    news.events(kVm, {7, static_cast<std::uint64_t>(minute) + 1}, kStart + Millis(minute * 60'000),
                many(8));
  CHECK(news.dropped() == 0);
  CHECK(news.taken() == 4800);
}

TEST_CASE("what an echo tells beside its row is handed on after it, and only if it was taken") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.taken() == 1; }));
  const echo::Table table{.name = "processes", .columns = {"pid"}, .cells = {1.0}};
  bench.room = 0;
  agent.echo({{table}, {happening("killed")}});
  agent.echo({{table}, {}});
  REQUIRE(bench.until([&] { return bench.links.totals().counts.overflow_rows >= 2; }));
  CHECK(bench.taken() == 1);
  CHECK(bench.count("guest.oom_kill") == 0);
  REQUIRE(bench.until([&] {
    return bench.links.view(kVm).reason == "events cannot be written: the agent keeps its echoes";
  }));
  bench.room = 100;
  REQUIRE(bench.untilWhole(3));
  CHECK(bench.count("guest.oom_kill") == 1);
  CHECK(bench.links.totals().happenings == 1);
  REQUIRE(bench.tables.size() == 2);
  CHECK(bench.tables[0].table == table);
  CHECK(bench.tables[0].time == bench.rows.rows(test::kGuestStream)[1].time);
}

TEST_CASE(
    "a daemon that crashed between events and rows tells no happening twice, and none never") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  agent.echo({{}, {happening("stored with its row")}});
  agent.echo({{}, {happening("stored, but not its row")}});
  agent.echo({{}, {happening("not stored")}});
  bench.stored = {.epoch = 7, .sequence = 1, .dropped = 0, .asked = 0, .last = kStart - Millis(1)};
  bench.told = {7, 2};
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.taken() >= 2; }));
  REQUIRE(bench.count("guest.oom_kill") == 1);
  for (const auto& event : bench.events)
    if (event.kind == "guest.oom_kill") CHECK(event.message == "not stored");
}

TEST_CASE("an agent that is connected is greeted anew when its instructions change") {
  Bench bench;
  FakeAgent agent(bench.port(), 7);
  CHECK_FALSE(bench.links.instruct(kVm));
  bench.setVms({runningVm(kVm, "web")});
  REQUIRE(bench.until([&] { return bench.taken() == 1; }));
  auto settings = agent.session().takeSettings();
  REQUIRE(settings);
  CHECK(settings->interval_ms == 1000u);
  bench.settings.interval_ms = 250;
  bench.settings.collectors = {"all"};
  CHECK(bench.links.instruct(kVm));
  REQUIRE(bench.until([&] {
    settings = agent.session().takeSettings();
    return settings.has_value();
  }));
  CHECK(*settings == bench.settings);
  REQUIRE(bench.untilWhole(2));
  CHECK(bench.links.view(kVm).lost == 0);
}
