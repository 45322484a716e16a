#include "cli/commands.h"

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "virtseer/api/exit_codes.h"

namespace virtseer::cli {
namespace {

const Timestamp kNow = *parseRfc3339("2026-01-31T08:05:00Z");

/// A daemon that answers from a list and records what it was asked.
struct FakeDaemon {
  std::map<std::string, Reply> replies;
  std::vector<Request> asked;

  Transport transport() {
    return [this](const Request& request) -> Result<Reply> {
      asked.push_back(request);
      const auto at = replies.find(request.target);
      if (at == replies.end())
        return Reply{404, R"({"status":404,"detail":"no such thing","code":"not_found"})"};
      return at->second;
    };
  }
};

Transport failing(Error error) {
  return [error](const Request&) -> Result<Reply> { return fail(error); };
}

}  // namespace

TEST_CASE("names are percent-encoded, so that none escapes its place", "[commands]") {
  CHECK(percentEncoded("web-1_a.b~") == "web-1_a.b~");
  CHECK(percentEncoded("a/b ?#%&ü") == "a%2Fb%20%3F%23%25%26%C3%BC");
  CHECK(requestOf(ShowVm{"../health"}).target == "/api/v1/vms/..%2Fhealth");
}

TEST_CASE("commands ask the endpoints of the API", "[commands]") {
  CHECK(requestOf(ShowStatus{}).target == "/api/v1/health");
  CHECK(requestOf(ShowHosts{}).target == "/api/v1/hosts");
  CHECK(requestOf(ShowVms{}).target == "/api/v1/vms");
  CHECK(requestOf(ShowVms{true}).target == "/api/v1/vms?gone=true");
  ShowSeries series{.name = "web",
                    .metric = "m",
                    .from = "15m",
                    .to = "2026-01-31T08:05:00Z",
                    .step = "1m",
                    .aggregation = "max",
                    .source = "guest",
                    .labels = {"device=vda"}};
  CHECK(requestOf(series).target ==
        "/api/v1/vms/web/"
        "series?metric=m&label=device%3Avda&source=guest&from=-15m&to=2026-01-31T08%3A05%3A00Z&"
        "step=1m&aggregation=max");
  CHECK(hostSeries(series).target.starts_with("/api/v1/hosts/web/series?metric=m"));
  ShowEvents events{.vm = "web",
                    .from = "1h",
                    .to = "",
                    .severity = "error",
                    .kind = "vm.",
                    .limit = 7,
                    .before = 901};
  CHECK(requestOf(events).target ==
        "/api/v1/events?entity=web&from=-1h&severity=error&kind=vm.&limit=7&cursor=901");
  const auto load = requestOf(OrderLoad{"web", 1.5, 1024, 2048, Millis(1000), Millis(5000)});
  CHECK(load.method == Request::Method::post);
  CHECK(load.target == "/api/v1/vms/web/load");
  CHECK(nlohmann::json::parse(load.body) == nlohmann::json{{"cpu_cores", 1.5},
                                                           {"memory_bytes", 1024},
                                                           {"disk_bytes_per_second", 2048},
                                                           {"ramp_ms", 1000},
                                                           {"duration_ms", 5000}});
}

TEST_CASE("what a guest tells, and is told to tell, is asked of the endpoints of the API",
          "[commands]") {
  CHECK(requestOf(ShowVm{"a b", true}).target == "/api/v1/vms/a%20b/echo");
  CHECK(requestOf(ShowTop{"web", "processes", ""}).target == "/api/v1/vms/web/tables/processes");
  CHECK(requestOf(ShowTop{"web", "peers", "15m"}).target == "/api/v1/vms/web/tables/peers?at=-15m");
  const auto asked = requestOf(ShowCollection{"web", {}, {}, {}, false});
  CHECK(asked.method == Request::Method::get);
  CHECK(asked.target == "/api/v1/vms/web/collection");
  const auto changed = requestOf(ShowCollection{"web", Millis(1000), 20, {"cpu", "disk"}, false});
  CHECK(changed.method == Request::Method::post);
  CHECK(nlohmann::json::parse(changed.body) == nlohmann::json{{"interval_ms", 1000},
                                                              {"top_processes", 20},
                                                              {"collectors", {"cpu", "disk"}}});
  const auto back = requestOf(ShowCollection{"web", {}, 5, {}, true});
  CHECK(nlohmann::json::parse(back.body) ==
        nlohmann::json{{"interval_ms", nullptr}, {"top_processes", 5}, {"collectors", nullptr}});
}

TEST_CASE("commands that decide and act ask the endpoints of the API", "[commands]") {
  const auto body = [](const Request& request) { return nlohmann::json::parse(request.body); };
  CHECK(requestOf(ShowForecast{"a/b"}).target == "/api/v1/vms/a%2Fb/forecast");
  CHECK(requestOf(ShowPlan{}).target == "/api/v1/plan");
  CHECK(requestOf(RankHosts{"web"}).target == "/api/v1/vms/web/ranking");
  CHECK(requestOf(Explain{"p-1/2"}).target == "/api/v1/explanations/p-1%2F2");
  MigrateVm move;
  move.vm = "web";
  CHECK(requestOf(move).method == Request::Method::post);
  CHECK(requestOf(move).target == "/api/v1/vms/web/migrate");
  CHECK(body(requestOf(move)) == nlohmann::json{{"dry_run", false}});
  move.to = "beta", move.dry_run = true, move.copy_storage = true;
  CHECK(body(requestOf(move)) ==
        nlohmann::json{{"to", "beta"}, {"dry_run", true}, {"copy_storage", true}});
  ShowOperations list;
  CHECK(requestOf(list).target == "/api/v1/operations");
  list.active = true, list.vm = "w b", list.limit = 7;
  CHECK(requestOf(list).target == "/api/v1/operations?active=true&vm=w%20b&limit=7");
  CHECK(requestOf(ShowOperation{"m-1"}).target == "/api/v1/operations/m-1");
  CHECK(requestOf(AbortOperation{"m-1", false}).target == "/api/v1/operations/m-1/abort");
  CHECK(requestOf(AbortOperation{"m-1", false}).method == Request::Method::post);
  CHECK(body(requestOf(AbortOperation{"m-1", false})) == nlohmann::json::object());
  CHECK(body(requestOf(AbortOperation{"m-1", true})) == nlohmann::json{{"fenced", true}});
  CHECK(requestOf(ShowPolicy{"web"}).target == "/api/v1/vms/web/policy");
  CHECK(requestOf(SetMaintenance{"beta", true}).target == "/api/v1/hosts/beta/maintenance");
  CHECK(body(requestOf(SetMaintenance{"beta", true})) == nlohmann::json{{"on", true}});
  CHECK(requestOf(Automate{}).method == Request::Method::get);
  CHECK(requestOf(Automate{false}).method == Request::Method::post);
  CHECK(requestOf(Automate{false}).target == "/api/v1/automation");
  CHECK(body(requestOf(Automate{false})) == nlohmann::json{{"on", false}});
}

TEST_CASE("a plan without a move is nothing to do, a dry run that does not fit is a refusal",
          "[commands]") {
  const auto answer = [](const char* body) {
    return [body](const Request&) -> Result<Reply> { return Reply{200, body}; };
  };
  MigrateVm move;
  move.vm = "web", move.dry_run = true;
  for (const Output output : {Output::table, Output::json}) {
    CHECK(ask(ShowPlan{}, output, answer(R"({"steps":[]})"), kNow).exit_code == api::kNothingToDo);
    CHECK(ask(ShowPlan{}, output, answer(R"({"steps":[{}]})"), kNow).exit_code == api::kDone);
    CHECK(ask(move, output, answer(R"({"operation":null,"dry_run":{"fits":false}})"), kNow)
              .exit_code == api::kRefused);
    CHECK(ask(move, output, answer(R"({"operation":null,"dry_run":{"fits":true}})"), kNow)
              .exit_code == api::kDone);
    CHECK(
        ask(move, output, answer(R"({"operation":{"id":"m-1"},"dry_run":null})"), kNow).exit_code ==
        api::kDone);
  }
}

TEST_CASE("as json the body comes out byte for byte", "[commands]") {
  const std::string body = "{ \"items\" : [], \"next\":null }\n";
  FakeDaemon daemon{{{"/api/v1/vms", {200, body}}}, {}};
  const auto outcome = ask(ShowVms{}, Output::json, daemon.transport(), kNow);
  CHECK(outcome.exit_code == api::kDone);
  CHECK(outcome.out == body);
  CHECK(outcome.err.empty());
}

TEST_CASE("a failure is told from its problem document", "[commands]") {
  FakeDaemon daemon;
  const auto table = ask(ShowVm{"none"}, Output::table, daemon.transport(), kNow);
  CHECK(table.exit_code == api::kFailed);
  CHECK(table.out.empty());
  CHECK(table.err == "virtseer: no such thing\n");
  const auto json = ask(ShowVm{"none"}, Output::json, daemon.transport(), kNow);
  CHECK(json.exit_code == api::kFailed);
  CHECK(nlohmann::json::parse(json.out)["status"] == 404);
}

TEST_CASE("exit codes follow the status", "[commands]") {
  const auto code = [](unsigned status) {
    const auto answer = [status](const Request&) -> Result<Reply> { return Reply{status, "{}"}; };
    return ask(ShowVms{}, Output::json, answer, kNow).exit_code;
  };
  CHECK(code(200) == api::kDone);
  CHECK(code(400) == api::kUsage);
  CHECK(code(401) == api::kRefused);
  CHECK(code(403) == api::kRefused);
  CHECK(code(404) == api::kFailed);
  CHECK(code(503) == api::kFailed);
  CHECK(ask(ShowVms{}, Output::table, failing({Code::unreachable, "gone"}), kNow).exit_code ==
        api::kNotReachable);
  CHECK(ask(ShowVms{}, Output::table, failing({Code::invalid, "--url"}), kNow).exit_code ==
        api::kUsage);
}

TEST_CASE("series of a name that is no VM are asked of the host", "[commands]") {
  FakeDaemon daemon{{{"/api/v1/hosts/alpha/series", {200, R"({"items":[],"next":null})"}}}, {}};
  const ShowSeries show{.name = "alpha",
                        .metric = "",
                        .from = "",
                        .to = "",
                        .step = "",
                        .aggregation = "",
                        .source = "",
                        .labels = {}};
  const auto outcome = ask(show, Output::table, daemon.transport(), kNow);
  CHECK(outcome.exit_code == api::kDone);
  CHECK(daemon.asked.size() == 2);
  daemon.replies.clear();
  CHECK(ask(show, Output::table, daemon.transport(), kNow).exit_code == api::kFailed);
}

TEST_CASE("an answer that is no JSON is a failure, not a crash", "[commands]") {
  for (const char* body : {"", "nonsense", "[]", "{}", "{\"items\":5}",
                           "{\"items\":[1,null,{\"name\":7,\"usage\":[],\"steps\":5}]}",
                           "{\"hosts\":[{\"shares\":[7],\"contention\":[]}],\"steps\":[{}]}",
                           "{\"dry_run\":{\"fits\":true,\"checks\":7,\"ranked\":{\"cost\":[]}}}"}) {
    INFO(body);
    const auto answer = [body](const Request&) -> Result<Reply> { return Reply{200, body}; };
    const ShowSeries series{.name = "x",
                            .metric = "m",
                            .from = "",
                            .to = "",
                            .step = "",
                            .aggregation = "",
                            .source = "",
                            .labels = {}};
    MigrateVm move;
    move.vm = "x";
    for (const Command& command :
         std::vector<Command>{ShowVms{}, ShowHosts{}, ShowStatus{}, ShowVm{"x"}, series,
                              ShowEvents{}, ShowForecast{"x"}, RankHosts{"x"}, Explain{"x"}, move,
                              ShowOperations{}, ShowOperation{"x"}, AbortOperation{"x"},
                              ShowPolicy{"x"}, SetMaintenance{"x", true}, Automate{}}) {
      const auto outcome = ask(command, Output::table, answer, kNow);
      CHECK((outcome.exit_code == api::kDone || outcome.exit_code == api::kFailed));
      CHECK(outcome.out.empty() == (outcome.exit_code != api::kDone));
    }
  }
}

}  // namespace virtseer::cli
