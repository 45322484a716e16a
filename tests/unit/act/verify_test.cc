#include "act/verify.h"

#include <catch2/catch.hpp>

namespace virtseer::act {
namespace {

using State = Presence::State;

const MigrationRules kRules;

/// A VM that did well before and does as well now.
WatchView wellAt(Millis elapsed) {
  WatchView view;
  view.before.emplace();
  view.before->agent = true;
  view.before->echo_age = Millis(1000);
  view.before->cpu_cores = 1.0;
  view.before->cpu_delay_cores = 0.5;
  view.before->ticks = 1000;
  view.now = RemoteVm{{.state = State::running, .defined = true, .reason = ""}, *view.before};
  view.now->wellbeing.ticks = 1200;
  view.elapsed = elapsed;
  return view;
}

TEST_CASE("a VM that does well is watched to the end and then held") {
  CHECK(judge(wellAt(Millis(0)), kRules).act == WatchAct::go_on);
  CHECK(judge(wellAt(Millis(59'999)), kRules).act == WatchAct::go_on);
  CHECK(judge(wellAt(Millis(60'000)), kRules).act == WatchAct::held);
}

TEST_CASE("an agent that was heard before must be heard again in time") {
  auto view = wellAt(Millis(15'000));
  view.now->wellbeing.agent = false;
  CHECK(judge(view, kRules).act == WatchAct::go_on);
  view.elapsed = Millis(15'001);
  CHECK(judge(view, kRules).act == WatchAct::failed);

  SECTION("one that was not heard before is not missed") {
    view.before->agent = false;
    view.elapsed = Millis(60'000);
    CHECK(judge(view, kRules).act == WatchAct::held);
  }
  SECTION("a guest that was started again has the time to boot") {
    view.revived = true;
    view.elapsed = Millis(59'000);
    CHECK(judge(view, kRules).act == WatchAct::go_on);
    view.elapsed = Millis(60'001);
    CHECK(judge(view, kRules).act == WatchAct::failed);
  }
  SECTION("a connected agent that says nothing is not heard") {
    view.now->wellbeing.agent = true;
    view.now->wellbeing.echo_age = Millis(15'001);
    CHECK(judge(view, kRules).act == WatchAct::failed);
  }
}

TEST_CASE("milliseconds that a VM waits which wants next to nothing are no fault") {
  auto view = wellAt(Millis(60'000));
  view.before->cpu_cores = 0.06;
  view.before->cpu_delay_cores = 0.001;
  view.now->wellbeing.cpu_cores = 0.06;
  view.now->wellbeing.cpu_delay_cores = 0.04;
  CHECK(judge(view, kRules).act == WatchAct::held);
  view.now->wellbeing.cpu_delay_cores = 0.06;
  CHECK(judge(view, kRules).act == WatchAct::failed);
}

TEST_CASE("vCPUs that wait more are told, and no fault, where it was sent to a crowded host") {
  auto view = wellAt(Millis(60'000));
  view.now->wellbeing.cpu_delay_cores = 3.0;
  CHECK(judge(view, kRules).act == WatchAct::failed);
  view.may_share = true;
  CHECK(judge(view, kRules).act == WatchAct::held);
  CHECK_THAT(judge(view, kRules).words, Catch::Contains("its vCPUs wait 75 %"));
  view.now->wellbeing.ticks = 1000;
  CHECK(judge(view, kRules).act == WatchAct::failed);
}

TEST_CASE("vCPUs that wait more than before, beyond the margin, fail it at the end only") {
  auto view = wellAt(Millis(30'000));
  view.now->wellbeing.cpu_delay_cores = 1.5;  // 60 % of what it wants, 33 % before
  CHECK(judge(view, kRules).act == WatchAct::go_on);
  view.elapsed = Millis(60'000);
  CHECK(judge(view, kRules).act == WatchAct::failed);
  view.now->wellbeing.cpu_delay_cores = 0.7;  // 41 %
  CHECK(judge(view, kRules).act == WatchAct::held);

  SECTION("unless nothing is known of it") {
    view.now->wellbeing.cpu_delay_cores.reset();
    CHECK(judge(view, kRules).act == WatchAct::held);
  }
  SECTION("unless it wants next to nothing") {
    view.now->wellbeing.cpu_cores = 0.01;
    view.now->wellbeing.cpu_delay_cores = 0.03;
    CHECK(judge(view, kRules).act == WatchAct::held);
  }
}

TEST_CASE("I/O errors that it did not have before fail it at once") {
  auto view = wellAt(Millis(1000));
  view.now->wellbeing.io_errors = 1;
  CHECK(judge(view, kRules).act == WatchAct::failed);
  view.before->io_errors = 1;
  CHECK(judge(view, kRules).act == WatchAct::go_on);
}

TEST_CASE("a guest whose counter stands still or fell back is not well") {
  auto view = wellAt(Millis(60'000));
  view.now->wellbeing.ticks = 1000;
  CHECK(judge(view, kRules).act == WatchAct::failed);
  view.revived = true;
  CHECK(judge(view, kRules).act == WatchAct::held);
}

TEST_CASE("a VM that died there is told from one that was shut down there") {
  auto view = wellAt(Millis(1000));
  view.now->presence = {.state = State::off, .defined = true, .crashed = true, .reason = ""};
  CHECK(judge(view, kRules).act == WatchAct::died);
  view.now->presence.crashed = false;
  view.now->presence.unexplained = true;
  CHECK(judge(view, kRules).act == WatchAct::died);
  view.now->presence.unexplained = false;
  CHECK(judge(view, kRules).act == WatchAct::shut_down);
  view.now->presence = {};
  CHECK(judge(view, kRules).act == WatchAct::elsewhere);
}

TEST_CASE("a VM that stands still fails it, unless its daemon there waits for our word") {
  auto view = wellAt(Millis(20'000));
  view.now->presence.state = State::paused;
  CHECK(judge(view, kRules).act == WatchAct::go_on);
  view.still = Millis(10'000);
  CHECK(judge(view, kRules).act == WatchAct::failed);
  view.now->presence.suspended = true;
  CHECK(judge(view, kRules).act == WatchAct::go_on);
}

TEST_CASE("a destination that does not answer makes nothing certain") {
  auto view = wellAt(Millis(120'000));
  view.now.reset();
  view.silent = Millis(9'999);
  CHECK(judge(view, kRules).act == WatchAct::go_on);
  view.silent = Millis(10'000);
  CHECK(judge(view, kRules).act == WatchAct::silent);
}

}  // namespace
}  // namespace virtseer::act
