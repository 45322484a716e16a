#include "cli/follow.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <deque>
#include <nlohmann/json.hpp>

#include "virtseer/api/exit_codes.h"

namespace virtseer::cli {
namespace {

const std::string kBegun = R"({"operation":{"id":"m 1","state":"planned"},"dry_run":null})";

/// An operation in this state, after steps of these names.
std::string operation(const std::string& state, const std::vector<std::string>& steps = {},
                      double fraction = 0, const std::string& message = "") {
  nlohmann::json out{{"id", "m 1"},         {"state", state},
                     {"vm_name", "web"},    {"created", "2026-01-31T08:00:00.000Z"},
                     {"ended_at", nullptr}, {"message", message}};
  out["progress"] = {{"fraction", fraction}, {"elapsed_ms", 1000}};
  out["steps"] = nlohmann::json::array();
  for (std::size_t i = 0; i < steps.size(); ++i)
    out["steps"].push_back(
        {{"state", steps[i]}, {"at", fmt::format("2026-01-31T08:00:0{}.000Z", i)}, {"note", ""}});
  return out.dump();
}

/// Somebody who waits for a daemon that answers each question with the next of a list, and the last
/// one again and again.
struct World {
  ManualClock clock{*parseRfc3339("2026-01-31T08:05:00Z")};
  Reply begun{202, kBegun};
  std::deque<Result<Reply>> answers;
  std::vector<Request> asked;
  std::string said;
  bool terminal = false;
  std::size_t columns = kNoLimit;

  Outcome run(MigrateVm command, Output output = Output::table) {
    command.wait = true;
    const Transport transport = [this](const Request& request) -> Result<Reply> {
      asked.push_back(request);
      REQUIRE(asked.size() < 10'000);
      if (request.method == Request::Method::post) return begun;
      auto answer = answers.front();
      if (answers.size() > 1) answers.pop_front();
      return answer;
    };
    const Waiting waiting{.clock = clock,
                          .pause = [this](Millis span) { clock.advance(span); },
                          .say = [this](std::string_view text) { said += text; },
                          .terminal = terminal,
                          .columns = columns};
    return migrateAndFollow(command, output, transport, waiting);
  }
};

MigrateVm web(std::optional<Millis> timeout = std::nullopt) {
  MigrateVm command;
  command.vm = "web";
  command.timeout = timeout;
  return command;
}

Reply ok(const std::string& body) {
  return {200, body};
}

}  // namespace

TEST_CASE("a move is followed to its end, step by step", "[follow]") {
  World world;
  world.answers = {ok(operation("checking", {"checking"})),
                   ok(operation("migrating", {"checking", "migrating"}, 0.5)),
                   ok(operation("done", {"checking", "migrating", "done"}, 1, "it runs there"))};
  const auto outcome = world.run(web());
  CHECK(outcome.exit_code == api::kDone);
  CHECK(outcome.err.empty());
  CHECK(outcome.out.find("it runs there") != std::string::npos);
  REQUIRE(world.asked.size() == 4);
  CHECK(world.asked[0].target == "/api/v1/vms/web/migrate");
  CHECK(world.asked[1].target == "/api/v1/operations/m%201");
  CHECK(world.clock.wall() - *parseRfc3339("2026-01-31T08:05:00Z") == Millis(1000));
  CHECK(world.said == "checking\nmigrating\n[############            ]  50 %, 1.0 s\ndone\n");
}

TEST_CASE("the exit code is that of the operation's end", "[follow]") {
  const auto codeOf = [](const std::string& state) {
    World world;
    world.answers = {ok(operation(state, {}, 0, "so it ended"))};
    const auto outcome = world.run(web());
    CHECK(outcome.out.find(state) != std::string::npos);
    if (state != "done") CHECK(outcome.err == "virtseer: so it ended\n");
    return outcome.exit_code;
  };
  CHECK(codeOf("done") == api::kDone);
  CHECK(codeOf("refused") == api::kRefused);
  CHECK(codeOf("failed") == api::kFailedVmSafe);
  CHECK(codeOf("aborted") == api::kFailedVmSafe);
  CHECK(codeOf("returned") == api::kFailedVmSafe);
  CHECK(codeOf("needs_person") == api::kNeedsPerson);
}

TEST_CASE("at the deadline an uncertain operation needs a person, another goes on", "[follow]") {
  World uncertain;
  uncertain.answers = {ok(operation("uncertain"))};
  CHECK(uncertain.run(web(Millis(5000))).exit_code == api::kNeedsPerson);
  CHECK(uncertain.asked.size() == 12);
  World running;
  running.answers = {ok(operation("verifying"))};
  const auto outcome = running.run(web(Millis(5000)));
  CHECK(outcome.exit_code == api::kFailed);
  CHECK(outcome.err ==
        "virtseer: operation m 1 is still verifying; it goes on: virtseer operation m 1\n");
}

TEST_CASE("without a deadline an uncertain operation is followed until it is certain", "[follow]") {
  World world;
  for (int i = 0; i < 2000; ++i) world.answers.emplace_back(ok(operation("uncertain")));
  world.answers.emplace_back(ok(operation("returned")));
  CHECK(world.run(web()).exit_code == api::kFailedVmSafe);
}

TEST_CASE("a daemon that starts anew is asked again; one that stays silent is given up",
          "[follow]") {
  const Result<Reply> gone = fail(Code::unreachable, "nobody there");
  World back;
  back.answers = {ok(operation("migrating", {"migrating"})), gone, gone,
                  Reply{503, R"({"detail":"starting"})"},
                  ok(operation("done", {"migrating", "done"}))};
  CHECK(back.run(web()).exit_code == api::kDone);
  const auto told = back.said.find("does not answer");
  CHECK(told != std::string::npos);
  CHECK(back.said.find("does not answer", told + 1) == std::string::npos);
  World silent;
  silent.answers = {gone};
  const auto outcome = silent.run(web());
  CHECK(outcome.exit_code == api::kNotReachable);
  CHECK(outcome.err.find("nobody there") != std::string::npos);
  CHECK(outcome.err.find("how operation m 1 goes on is not known") != std::string::npos);
  CHECK(silent.clock.wall() - *parseRfc3339("2026-01-31T08:05:00Z") == Millis(60'000));
}

TEST_CASE("a move that is refused at once is not followed", "[follow]") {
  World world;
  world.begun = {403, R"({"status":403,"detail":"beta is full","code":"refused"})"};
  const auto outcome = world.run(web());
  CHECK(outcome.exit_code == api::kRefused);
  CHECK(outcome.err == "virtseer: beta is full\n");
  CHECK(world.asked.size() == 1);
  World forgotten;
  forgotten.answers = {Reply{404, R"({"detail":"no such operation"})"}};
  CHECK(forgotten.run(web()).exit_code == api::kFailed);
}

TEST_CASE("as json the last body comes out byte for byte", "[follow]") {
  World world;
  const std::string last = operation("failed", {"failed"}, 0.1, "so it ended") + " \n";
  world.answers = {ok(operation("migrating")), ok(last)};
  const auto outcome = world.run(web(), Output::json);
  CHECK(outcome.out == last);
  CHECK(outcome.exit_code == api::kFailedVmSafe);
}

TEST_CASE("on a terminal the bar is drawn over and taken away", "[follow]") {
  World world;
  world.terminal = true;
  world.columns = 20;
  world.answers = {ok(operation("migrating", {"migrating"}, 0.25)),
                   ok(operation("migrating", {"migrating"}, 0.5)),
                   ok(operation("done", {"migrating", "done"}))};
  world.run(web());
  CHECK(world.said ==
        "migrating\n"
        "\r\x1b[K[######           …"
        "\r\x1b[K[############     …"
        "\r\x1b[Kdone\n"
        "\r\x1b[Kdone ...\r\x1b[K");
}

TEST_CASE("hostile and broken answers end the wait without commanding the terminal", "[follow]") {
  for (const char* broken : {"", "[]", R"({"operation":null})", R"({"operation":{"id":7}})"}) {
    INFO(broken);
    World world;
    world.begun = {202, broken};
    CHECK(world.run(web()).exit_code == api::kFailed);
  }
  World hostile;
  hostile.terminal = false;
  hostile.answers = {ok(R"({"state":"\u001b[2J","steps":[7,{"state":"\u001b[1m","note":[]}],)"
                        R"("progress":{"fraction":1e300}})"),
                     ok(R"({"state":"failed","message":"\u001b[31m"})")};
  const auto outcome = hostile.run(web());
  CHECK(outcome.exit_code == api::kFailedVmSafe);
  CHECK((hostile.said + outcome.out + outcome.err).find('\x1b') == std::string::npos);
}

}  // namespace virtseer::cli
