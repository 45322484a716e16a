#include "daemon/enrollments.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "platform/fake_actions.h"

using namespace virtseer;
using namespace virtseer::daemon;
namespace asio = boost::asio;
using Call = platform::FakeActions::Call;

namespace {

const Uuid kVm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");

struct Bench {
  asio::io_context loop;
  platform::FakeActions actions{loop.get_executor()};
  ManualClock clock{Timestamp{}};
  std::vector<std::string> failures;
  TaskGroup tasks{loop.get_executor(), [this](const std::string&, const std::string& what) {
                    failures.push_back(what);
                  }};
  Enrollments enrollments{loop.get_executor(), tasks};
  bool faulty = false, token = false;

  Bench() { actions.add(kVm, "web"); }
  ~Bench() {
    actions.release(Call::enroll_facts);
    tasks.cancel();
    turn();
  }
  void turn() {
    loop.restart();
    loop.poll();
  }
  act::EnrollContext context() {
    return {.clock = clock,
            .token = [this](Uuid, act::TokenAct what) -> asio::awaitable<Result<bool>> {
              if (faulty) throw std::runtime_error("a fault\x1b of the store");
              const bool had = token;
              if (what == act::TokenAct::make) token = true;
              if (what == act::TokenAct::drop) token = false;
              co_return had;
            },
            .token_file = [](Uuid) { return std::string("/agents/token"); },
            .report = [](Event) {}};
  }
  /// Its answer, once it is there.
  std::shared_ptr<std::optional<Result<EnrollReport>>> ask(bool dry_run = false,
                                                           EnrollWish wish = {}) {
    auto out = std::make_shared<std::optional<Result<EnrollReport>>>();
    asio::co_spawn(
        loop, enrollments.run(actions, {.vm = kVm, .wish = wish, .dry_run = dry_run}, context()),
        [out](std::exception_ptr error, Result<EnrollReport> report) {
          CHECK_FALSE(error);
          *out = std::move(report);
        });
    turn();
    return out;
  }
  /// The command that takes back what was done.
  std::string undo(EnrollWish wish, bool dry_run = false) {
    const auto report = ask(dry_run, std::move(wish));
    REQUIRE(*report);
    REQUIRE((*report)->has_value());
    return (**report)->undo;
  }
};

}  // namespace

TEST_CASE("an exception while a VM is enrolled is the answer, and the VM can be enrolled again") {
  Bench bench;
  bench.faulty = true;
  const auto answer = bench.ask();
  REQUIRE(*answer);
  REQUIRE_FALSE(**answer);
  CHECK((*answer)->error().code == Code::failed);
  CHECK((*answer)->error().message.find("a fault") != std::string::npos);
  CHECK((*answer)->error().message.find('\x1b') == std::string::npos);
  CHECK_FALSE(bench.enrollments.underWay(kVm));
  bench.faulty = false;
  const auto again = bench.ask();
  REQUIRE(*again);
  CHECK((*again)->has_value());
  CHECK(bench.failures.empty());
}

TEST_CASE("a VM is enrolled by one at a time, and looked at by anybody") {
  Bench bench;
  bench.actions.hold(Call::enroll_facts);
  const auto first = bench.ask();
  CHECK_FALSE(*first);
  CHECK(bench.enrollments.underWay(kVm));
  const auto second = bench.ask();
  REQUIRE(*second);
  CHECK((*second)->error().code == Code::busy);
  CHECK(bench.enrollments.underWay(kVm));
  const auto looks = bench.ask(true);
  CHECK_FALSE(*looks);
  bench.actions.release(Call::enroll_facts);
  bench.turn();
  REQUIRE(*first);
  CHECK((*first)->has_value());
  REQUIRE(*looks);
  CHECK_FALSE(bench.enrollments.underWay(kVm));
}

TEST_CASE("what takes back more than was done is not named as what takes it back") {
  Bench bench;
  const auto wish = [](EchoWay way, bool remove) {
    EnrollWish out;
    out.way = way;
    out.remove = remove;
    return out;
  };
  const auto channel = wish(EchoWay::channel, false), tls = wish(EchoWay::tls, false),
             remove = wish(EchoWay::channel, true);
  CHECK(bench.undo(channel, true) == "virtseer enroll web --remove");
  CHECK(bench.undo(channel) == "virtseer enroll web --remove");
  CHECK(bench.undo(channel).empty());
  CHECK(bench.undo(tls).empty());
  CHECK(bench.undo(remove).empty());
  CHECK(bench.undo(tls) == "virtseer enroll web --remove");
  CHECK(bench.undo(remove).empty());
  bench.actions.vm(kVm).presence.job = Presence::Job::other;
  CHECK(bench.undo(channel, true).empty());
}

TEST_CASE("an enrolling that the daemon's end cuts short says so") {
  Bench bench;
  bench.actions.hold(Call::enroll_facts);
  const auto answer = bench.ask();
  bench.tasks.cancel();
  bench.turn();
  REQUIRE(*answer);
  CHECK((*answer)->error().code == Code::cancelled);
  CHECK_FALSE(bench.enrollments.underWay(kVm));
  CHECK(bench.failures.empty());
}
