#include "act/enroll.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <set>

#include "platform/fake_actions.h"

using namespace virtseer;
using namespace virtseer::act;
namespace asio = boost::asio;

namespace {

const Uuid kVm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");
using Call = platform::FakeActions::Call;

struct Bench {
  asio::io_context loop;
  platform::FakeActions actions{loop.get_executor()};
  ManualClock clock{Timestamp{}};
  std::set<Uuid> tokens;
  std::vector<Event> events;
  int pauses = 0;
  std::string operation;

  Bench() {
    auto& vm = actions.add(kVm, "web");
    vm.live.balloon_period_s = vm.config.balloon_period_s = 0;
  }

  platform::FakeVm& vm() { return actions.vm(kVm); }

  EnrollContext context() {
    return {.clock = clock,
            .token = [this](Uuid uuid, TokenAct act) -> asio::awaitable<Result<bool>> {
              const bool had = tokens.contains(uuid);
              if (act == TokenAct::make) tokens.insert(uuid);
              if (act == TokenAct::drop) tokens.erase(uuid);
              co_return had;
            },
            .token_file = [](Uuid uuid) { return "/agents/" + uuid.text() + ".token"; },
            .report = [this](Event event) { events.push_back(std::move(event)); },
            .operation = [this](Uuid) { return operation; },
            .pause = [this](Millis) -> asio::awaitable<void> {
              ++pauses;
              co_return;
            }};
  }

  Result<EnrollReport> ask(EnrollWish wish, bool dry_run = false) {
    if (!wish.remove) wish.balloon_period_s = 5;
    std::optional<Result<EnrollReport>> out;
    asio::co_spawn(loop, enroll(actions, {.vm = kVm, .wish = wish, .dry_run = dry_run}, context()),
                   [&](std::exception_ptr error, Result<EnrollReport> report) {
                     REQUIRE_FALSE(error);
                     out = std::move(report);
                   });
    loop.restart();
    loop.run();
    REQUIRE(out);
    return std::move(*out);
  }

  std::size_t changes() const {
    return actions.count("setEchoChannel") + actions.count("setBalloonPeriod");
  }
};

const EnrollWish kRemove{
    .remove = true, .way = EchoWay::channel, .address = {}, .balloon_period_s = 0};
const EnrollWish kTls{
    .remove = false, .way = EchoWay::tls, .address = "host:1", .balloon_period_s = 0};

}  // namespace

TEST_CASE("a VM is enrolled as it runs and for good, which is told once") {
  Bench bench;
  const auto report = bench.ask({});
  REQUIRE(report);
  CHECK(report->changed);
  for (const auto& step : report->plan.steps) CHECK(step.done);
  CHECK(bench.vm().live.channel);
  CHECK(bench.vm().config.channel);
  CHECK(bench.vm().live.balloon_period_s == 5);
  CHECK(bench.vm().config.balloon_period_s == 5);
  CHECK(bench.actions.runs(kVm));
  REQUIRE(bench.events.size() == 1);
  CHECK(bench.events[0].kind == "vm.enrolled");
  CHECK(bench.events[0].entity == kVm);

  const auto again = bench.ask({});
  REQUIRE(again);
  CHECK_FALSE(again->changed);
  CHECK(bench.changes() == 2);
  CHECK(bench.events.size() == 1);
}

TEST_CASE("a dry run changes nothing and says whether it fits") {
  Bench bench;
  auto report = bench.ask({}, true);
  REQUIRE(report);
  CHECK(report->changed);
  CHECK(report->plan.fits());
  bench.vm().presence.job = Presence::Job::migration_out;
  report = bench.ask({}, true);
  REQUIRE(report);
  CHECK_FALSE(report->plan.fits());
  CHECK(bench.changes() == 0);
  CHECK(bench.events.empty());
}

TEST_CASE("what does not fit is refused with the reason, and nothing is changed") {
  Bench bench;
  bench.vm().presence.job = Presence::Job::other;
  const auto report = bench.ask({});
  REQUIRE_FALSE(report);
  CHECK(report.error().code == Code::refused);
  CHECK(report.error().message.find("job") != std::string::npos);
  CHECK(bench.changes() == 0);
}

TEST_CASE("a VM that virtseer has an operation with is left alone until that has ended") {
  Bench bench;
  bench.operation = "a move of it to another host has not ended";
  const auto dry = bench.ask({}, true);
  REQUIRE(dry);
  CHECK_FALSE(dry->plan.fits());
  const auto refused = bench.ask({});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::refused);
  CHECK(refused.error().message.find("another host") != std::string::npos);
  CHECK(bench.ask(kRemove).error().code == Code::refused);
  CHECK(bench.changes() == 0);
  bench.operation.clear();
  CHECK(bench.ask({}));
}

TEST_CASE("an unknown VM and a lost libvirt keep their codes") {
  Bench bench;
  bench.actions.remove(kVm);
  CHECK(bench.ask({}).error().code == Code::not_found);
  bench.actions.disconnect("gone");
  CHECK(bench.ask({}).error().code == Code::unreachable);
}

TEST_CASE("a VM without room for a device is not enrolled, which is told with the reason") {
  Bench bench;
  bench.vm().no_room = Error{Code::failed, "no virtio-serial controllers are available"};
  const auto report = bench.ask({});
  REQUIRE_FALSE(report);
  CHECK(report.error().message.find("controllers") != std::string::npos);
  CHECK(bench.actions.count("setBalloonPeriod") == 0);
  REQUIRE(bench.events.size() == 1);
  CHECK(bench.events[0].kind == "vm.enroll_failed");
  CHECK(bench.events[0].severity == Severity::warning);
  CHECK(bench.events[0].message.find("controllers") != std::string::npos);
  CHECK(bench.events[0].message.find("nothing else was done") != std::string::npos);
}

TEST_CASE("a balloon that cannot be set is said, and the VM enrolled all the same") {
  Bench bench;
  bench.actions.failNext(Call::set_balloon_period, {Code::unsupported, "no such call"});
  const auto report = bench.ask({});
  REQUIRE(report);
  CHECK(bench.vm().live.channel);
  REQUIRE(report->plan.steps.size() == 2);
  CHECK_FALSE(report->plan.steps[1].done);
  REQUIRE_FALSE(report->plan.notes.empty());
  CHECK(report->plan.notes.back().find("no such call") != std::string::npos);
  REQUIRE(bench.events.size() == 1);
  CHECK(bench.events[0].message.find("channel") != std::string::npos);
  CHECK(bench.events[0].message.find("balloon") == std::string::npos);
  // With nothing else to do nothing was done.
  bench.actions.failNext(Call::set_balloon_period, {Code::unsupported, "no such call"});
  const auto again = bench.ask({});
  REQUIRE(again);
  CHECK_FALSE(again->changed);
  CHECK(bench.events.size() == 1);
}

TEST_CASE("a change is looked at afterwards, not believed") {
  Bench bench;
  bench.vm().live.channel = bench.vm().config.channel = true;
  // The guest holds on to its port.
  bench.actions.onEnrolled([](const Uuid&, const platform::FakeVm& vm) {
    const_cast<platform::FakeVm&>(vm).live.channel = true;
  });
  const auto report = bench.ask(kRemove);
  REQUIRE_FALSE(report);
  CHECK(report.error().message.find("not let go") != std::string::npos);
  CHECK(bench.pauses > 0);
  REQUIRE(bench.events.size() == 1);
  CHECK(bench.events[0].kind == "vm.enroll_failed");
}

TEST_CASE("taking it back removes channel and token, and twice does no harm") {
  Bench bench;
  REQUIRE(bench.ask({}));
  REQUIRE(bench.ask(kTls));
  CHECK(bench.tokens.contains(kVm));
  const auto report = bench.ask(kRemove);
  REQUIRE(report);
  CHECK_FALSE(bench.vm().live.channel);
  CHECK_FALSE(bench.vm().config.channel);
  CHECK(bench.vm().live.balloon_period_s == 5);
  CHECK(bench.tokens.empty());
  CHECK(bench.events.back().kind == "vm.unenrolled");
  const auto again = bench.ask(kRemove);
  REQUIRE(again);
  CHECK_FALSE(again->changed);
}

TEST_CASE("over TLS a token is made once, its place told and no channel added") {
  Bench bench;
  const auto dry = bench.ask(kTls, true);
  REQUIRE(dry);
  CHECK(bench.tokens.empty());
  const auto report = bench.ask(kTls);
  REQUIRE(report);
  CHECK(report->token_file == "/agents/" + kVm.text() + ".token");
  CHECK_FALSE(bench.vm().live.channel);
  CHECK(bench.tokens.contains(kVm));
  const auto again = bench.ask(kTls);
  REQUIRE(again);
  CHECK_FALSE(again->changed);
  CHECK(again->token_file == report->token_file);
}
