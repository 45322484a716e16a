#include "daemon/plan_archive.h"

#include <catch2/catch.hpp>

#include "daemon/plan_json.h"
#include "daemon/plan_news.h"
#include "store/store.h"

using namespace virtseer;
using namespace virtseer::daemon;

namespace {

Uuid number(std::uint8_t n) {
  Uuid out;
  out.bytes[15] = n;
  return out;
}

Timestamp at(int second) {
  return Timestamp(Millis(1'800'000'000'000 + second * 1000));
}

/// A plan of second `second` that moves VM 1 to host `to`; in that state.
Plan plan(int second, std::uint8_t to = 2, StepState state = StepState::due) {
  Plan out;
  out.id = "plan-1-" + std::to_string(second);
  out.made = at(second);
  out.verdict = "move it";
  PlanStep step;
  step.id = out.id + ".1";
  step.state = state;
  step.vm = number(1);
  step.vm_name = "db\x1b";
  step.from = number(100);
  step.to = number(to);
  step.to_name = "two";
  step.from_before.until = Millis(90'000);
  step.mode = Mode::automatic;
  step.cost.duration = Millis(12'000);
  step.parts = {{"headroom", 0.25, 0.5, "half"}};
  step.reasons = {"it runs short"};
  step.held_back = "mode";
  out.steps.push_back(step);
  HostOutlook host;
  host.host = number(100);
  host.name = "one";
  host.contention.until = Millis(90'000);
  host.contention.probability_then = 0.75;
  host.shares = {{number(1), "db", 1, 2.5}};
  host.held_rounds = 3;
  host.vms_running = 4;
  host.vms_unforeseen = 1;
  out.hosts.push_back(host);
  out.rejected = {{number(1), "db", std::nullopt, "", Refusal::lower_score, "less", "more"}};
  out.reasons = {"why"};
  out.counterfactuals = {"if"};
  return out;
}

Plan quiet(int second) {
  Plan out;
  out.id = "plan-1-" + std::to_string(second);
  out.made = at(second);
  return out;
}

}  // namespace

TEST_CASE("a plan comes back from its text as it was") {
  const Plan before = plan(1);
  const auto after = planFromText(planText(before));
  REQUIRE(after);
  CHECK(*after == before);
}

TEST_CASE("of very many rejections the text keeps some and counts the rest") {
  Plan before = plan(1);
  before.rejected.resize(200, before.rejected[0]);
  before.rejected_more = 7;
  const auto after = planFromText(planText(before));
  REQUIRE(after);
  CHECK(after->rejected.size() == 64);
  CHECK(after->rejected_more == 143);
}

TEST_CASE("text that is no plan is refused") {
  for (const char* text : {"", "[]", "{", R"({"id":7})", R"({"steps":{}})", R"({"steps":[7]})",
                           R"({"steps":[{"vm":"x"}]})", R"({"steps":[{"state":"never"}]})",
                           R"({"made":"yesterday"})", R"({"round":"many"})"}) {
    CAPTURE(text);
    const auto read = planFromText(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Code::corrupt);
  }
}

TEST_CASE("a plan that decides the same goes on under the id of the one before") {
  PlanArchive archive;
  auto first = plan(1), second = plan(2), third = plan(3, 3);
  CHECK(archive.take(first));
  second.verdict = "move it still";
  CHECK_FALSE(archive.take(second));
  CHECK(second.id == "plan-1-1");
  CHECK(second.steps[0].id == "plan-1-1.1");
  CHECK(archive.find("plan-1-1.1")->verdict == "move it still");
  CHECK_FALSE(archive.find("plan-1-2"));
  CHECK(archive.take(third));
  CHECK(archive.newest()->id == "plan-1-3");
  CHECK(archive.find("plan-1-1"));
}

TEST_CASE("decisions with a due step outlive the daemon, a bounded number of them") {
  const auto store = store::memoryStore(10);
  PlanArchive archive;
  archive.use(store->settings());
  for (int i = 0; i < 300; ++i) {
    auto due = plan(2 * i), nothing = quiet(2 * i + 1);
    archive.take(due);
    archive.take(nothing);
  }
  CHECK(archive.find("plan-1-598"));
  CHECK(archive.find("plan-1-401"));
  CHECK_FALSE(archive.find("plan-1-399"));
  CHECK(store->settings().list("plan/").size() == PlanArchive::kMostKept);
  PlanArchive later;
  later.use(store->settings());
  CHECK(later.find("plan-1-598.1"));
  CHECK_FALSE(later.find("plan-1-599"));
  CHECK_FALSE(later.newest());
}

TEST_CASE("what cannot be read of an earlier life is dropped") {
  const auto store = store::memoryStore(10);
  store->settings().put("plan/x", "nonsense");
  store->settings().put("plan/other", planText(plan(1)));
  PlanArchive archive;
  archive.use(store->settings());
  CHECK(store->settings().list("plan/").empty());
}

TEST_CASE("a decision that goes to and fro is not told each time") {
  PlanNews news;
  PlanNews::Instant now{std::chrono::hours(1)};
  CHECK(news.of(quiet(0), true, number(100), now).empty());
  std::size_t told = 0;
  for (int i = 1; i <= 60; ++i) {
    now += std::chrono::seconds(1);
    told += news.of(i % 2 ? plan(i) : quiet(i), true, number(100), now).size();
  }
  CHECK(told >= 24);
  CHECK(told <= 28);
  now += std::chrono::minutes(1);
  const auto next = news.of(quiet(200), true, number(100), now);
  REQUIRE(next.size() == 1);
  CHECK(std::stoi(next[0].fields.at("untold")) > 20);
}

TEST_CASE("a due step is told with escaped names and when contention comes") {
  PlanNews news;
  const auto events = news.of(plan(1), true, number(100), PlanNews::Instant{});
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == "plan.changed");
  CHECK(events[0].message == "move it");
  CHECK(events[0].fields.at("until_ms") == "90000");
  CHECK(events[1].kind == "plan.step");
  CHECK(events[1].entity == number(1));
  CHECK(events[1].message.find('\x1b') == std::string::npos);
  CHECK(events[1].message.find("it runs short; not done: mode") != std::string::npos);
}
