#include <catch2/catch.hpp>

#include "http_client.h"
#include "wire/wire.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {

const std::string kApi = "/api/v1";

struct Door {
  std::string path;
  std::string body;    ///< that is right for it
  unsigned status;     ///< where all is well
  std::string call;    ///< what the daemon is asked
  bool empty = false;  ///< it may come without a body
};

/// Every POST of deciding and acting.
std::vector<Door> doors() {
  return {
      {kApi + "/hosts/beta/maintenance", R"({"on":true})", 200, "maintenance beta"},
      {kApi + "/vms/web/migrate", R"({"to":"beta"})", 202, "migrate web", true},
      {kApi + "/operations/op-1/abort", "{}", 202, "abort op-1", true},
      {kApi + "/operations/op-1/abort", R"({"fenced":false})", 202, "abort op-1", true},
      {kApi + "/operations/op-1/abort", R"({"fenced":null})", 202, "abort op-1", true},
      {kApi + "/operations/op-1/abort", R"({"fenced":true})", 202, "abort op-1 fenced", true},
      {kApi + "/reservations", wire::json(sampleOrder()).dump(), 201, "reserve op-1"},
      {kApi + "/reservations/op-1/renew", "{}", 200, "renew op-1", true},
      {kApi + "/reservations/op-1/release", "{}", 200, "release op-1", true},
      {kApi + "/reservations/op-1/commit", R"({"autostart":true,"moves":[]})", 200, "commit op-1"},
      {kApi + "/reservations/op-1/agent-token", R"({"token":"0123456789abcdef"})", 200,
       "token of op-1"},
      {kApi + "/reservations/op-1/revive", "{}", 200, "revive op-1", true},
      {kApi + "/reservations/op-1/return", "{}", 202, "return op-1", true}};
}

std::vector<std::string> calls(Running& running) {
  return running.onLoop([&] { return running.decisions.calls; });
}

/// Sets what the daemon answers, between requests.
void fails(Running& running, std::optional<Error> failure) {
  running.onLoop([&] { return running.decisions.failure = std::move(failure), 0; });
}

}  // namespace

TEST_CASE("each question about deciding and acting is answered, and HEAD as well") {
  Running running;
  auto client = running.local();
  const std::tuple<std::string, std::string, std::string> expected[] = {
      {"/vms/web/forecast", "forecast web", "items"},
      {"/vms/web/ranking", "rank web", "hosts"},
      {"/vms/web/policy", "policy web", "policy"},
      {"/explanations/p-7.1", "explain p-7.1", "lines"},
      {"/operations/op-1", "operation op-1", "steps"},
      {"/fleet/state", "fleet state", "scenarios"},
      {"/fleet/vms/" + uuidOf(2).text(), "vm " + uuidOf(2).text(), "presence"}};
  for (const auto& [path, call, member] : expected) {
    INFO(path);
    const auto got = client.ask("GET " + kApi + path);
    CHECK(got.status == 200);
    CHECK(got.header("Content-Type") == "application/json");
    CHECK(got.json().contains(member));
    CHECK(calls(running).back() == call);
    const auto head = client.ask("HEAD " + kApi + path);
    CHECK(head.status == 200);
    CHECK(head.header("Content-Length") == got.header("Content-Length"));
  }
  CHECK(client.ask("GET " + kApi + "/plan").json()["id"] == "p-7");
  CHECK(client.ask("GET " + kApi + "/automation").json()["on"] == false);
}

TEST_CASE("what a path names arrives decoded") {
  Running running;
  running.local().ask("GET " + kApi + "/explanations/p%2F7%20a");
  CHECK(calls(running).back() == "explain p/7 a");
}

TEST_CASE("each order is taken with its body") {
  Running running;
  auto client = running.local();
  for (const auto& door : doors()) {
    INFO(door.path);
    const auto got = client.post(door.path, door.body);
    CHECK(got.status == door.status);
    CHECK(got.header("Content-Type") == "application/json");
    CHECK(got.json().is_object());
    CHECK(calls(running).back() == door.call);
  }
}

TEST_CASE("orders that say all in their path need no body, the others do") {
  Running running;
  auto client = running.local();
  for (const auto& door : doors()) {
    INFO(door.path);
    CHECK(client.ask("POST " + door.path).status == (door.empty ? door.status : 415));
    CHECK(client.post(door.path, "").status == (door.empty ? door.status : 400));
  }
  CHECK(client.ask("POST " + kApi + "/automation").status == 415);
}

TEST_CASE("bodies of the wrong shape reach nobody") {
  Running running;
  auto client = running.local();
  for (const auto& door : doors()) {
    INFO(door.path);
    for (const char* body : {"7", "[]", "{", "\"x\"", "null", "{\"on\":true}{", "\xff"}) {
      const auto got = client.post(door.path, body);
      INFO(body);
      CHECK(got.status == 400);
      CHECK(got.json()["code"] == "invalid");
      CHECK_FALSE(got.json()["detail"].get<std::string>().empty());
    }
    const auto form = client.ask(
        "POST " + door.path,
        "Content-Type: text/plain\r\nContent-Length: " + std::to_string(door.body.size()) + "\r\n",
        door.body);
    CHECK(form.status == 415);
  }
  CHECK(calls(running).empty());
}

TEST_CASE("a wrong member is named") {
  Running running;
  auto client = running.local();
  const std::tuple<std::string, std::string, std::string> wrong[] = {
      {"/hosts/beta/maintenance", R"({})", "on"},
      {"/hosts/beta/maintenance", R"({"on":null})", "on"},
      {"/hosts/beta/maintenance", R"({"on":"true"})", "on"},
      {"/hosts/beta/maintenance", R"({"on":1})", "on"},
      {"/hosts/beta/maintenance", R"({"on":true,"of":1})", "\"of\""},
      {"/automation", R"({"on":0})", "on"},
      {"/automation", R"({"off":true})", "\"off\""},
      {"/vms/web/migrate", R"({"to":7})", "to"},
      {"/vms/web/migrate", R"({"to":""})", "to"},
      {"/vms/web/migrate", R"({"to":")" + std::string(256, 'x') + R"("})", "to"},
      {"/vms/web/migrate", R"({"dry_run":"yes"})", "dry_run"},
      {"/vms/web/migrate", R"({"copy_storage":1})", "copy_storage"},
      {"/vms/web/migrate", R"({"dryrun":true})", "dry_run"},
      {"/operations/op-1/abort", R"({"force":true})", "\"force\""},
      {"/operations/op-1/abort", R"({"fenced":"yes"})", "fenced"},
      {"/operations/op-1/abort", R"({"fenced":1})", "fenced"},
      {"/reservations", R"({})", "operation"},
      {"/reservations/op-1/commit", R"({"autostart":1,"moves":[]})", "autostart"},
      {"/reservations/op-1/commit", R"({"autostart":true})", "moves"},
      {"/reservations/op-1/agent-token", R"({})", "token"},
      {"/reservations/op-1/agent-token", R"({"token":""})", "token"},
      {"/reservations/op-1/agent-token", R"({"token":["x"]})", "token"}};
  for (const auto& [path, body, member] : wrong) {
    INFO(path << " " << body);
    const auto got = client.post(kApi + path, body);
    CHECK(got.status == 400);
    CHECK(got.json()["detail"].get<std::string>().find(member) != std::string::npos);
  }
  CHECK(calls(running).empty());
}

TEST_CASE("what a wrong member is called breaks no line of a log") {
  Running running;
  const auto got = running.local().post(kApi + "/automation", R"({"a\nb\u001b[31m":1})");
  CHECK(got.status == 400);
  CHECK(got.json()["detail"].get<std::string>().find('\n') == std::string::npos);
  CHECK(got.json()["detail"].get<std::string>().find('\x1b') == std::string::npos);
}

TEST_CASE("a failure keeps its code, whoever is asked") {
  const std::pair<Code, unsigned> expected[] = {
      {Code::refused, 403}, {Code::not_found, 404},   {Code::invalid, 400},
      {Code::busy, 503},    {Code::full, 507},        {Code::unreachable, 503},
      {Code::timeout, 504}, {Code::unsupported, 501}, {Code::failed, 500}};
  Running running;
  auto client = running.local();
  for (const auto& [code, status] : expected) {
    fails(running, Error{code, "beta says no"});
    for (const auto& door : doors()) {
      INFO(door.path);
      const auto got = client.post(door.path, door.body);
      CHECK(got.status == status);
      CHECK(got.json()["code"] == name(code));
      CHECK(got.json()["detail"] == "beta says no");
    }
    for (const char* path :
         {"/vms/web/forecast", "/vms/web/ranking", "/vms/web/policy", "/explanations/x",
          "/operations/op-1", "/fleet/state", "/fleet/vms/00000000-0000-4000-8000-000000000001"}) {
      INFO(path);
      CHECK(client.ask("GET " + kApi + path).status == status);
    }
  }
}

TEST_CASE("a request for a move is read whole") {
  Running running;
  auto client = running.local();
  CHECK(
      client.post(kApi + "/vms/web/migrate", R"({"to":"beta","dry_run":true,"copy_storage":false})")
          .status == 202);
  auto asked = running.onLoop([&] { return *running.decisions.asked_migrate; });
  CHECK(asked.to == "beta");
  CHECK(asked.dry_run);
  CHECK(asked.copy_storage == false);
  client.post(kApi + "/vms/web/migrate", R"({"to":null,"dry_run":null,"copy_storage":null})");
  asked = running.onLoop([&] { return *running.decisions.asked_migrate; });
  CHECK(asked.to.empty());
  CHECK_FALSE(asked.dry_run);
  CHECK_FALSE(asked.copy_storage);
}

TEST_CASE("a dry run is 200 and begins nothing") {
  auto decisions = filledDecisions();
  decisions.migrate_answer = {.operation = {}, .dry_run = sampleDryRun()};
  Running running(FakeBackend::filled(), {}, std::move(decisions));
  const auto got = running.local().post(kApi + "/vms/web/migrate", R"({"dry_run":true})");
  CHECK(got.status == 200);
  CHECK(got.json()["operation"].is_null());
  CHECK(got.json()["dry_run"]["checks"][0]["name"] == "cpu");
}

TEST_CASE("a reservation that is not held is 200 with what speaks against it") {
  auto decisions = filledDecisions();
  decisions.reserve_answer = {
      .checks = {{.name = "memory", .held = false, .words = "2 GiB are missing"}},
      .reservation = {}};
  Running running(FakeBackend::filled(), {}, std::move(decisions));
  const auto got = running.local().post(kApi + "/reservations", wire::json(sampleOrder()).dump());
  CHECK(got.status == 200);
  CHECK(got.json()["reservation"].is_null());
  CHECK(got.json()["checks"][0]["held"] == false);
}

TEST_CASE("what a peer asks for arrives as it was sent") {
  Running running;
  auto client = running.local();
  auto order = sampleOrder();
  order.live_xml = std::string(std::size_t{4} << 20, '"');  // each takes two bytes on the way
  CHECK(client.post(kApi + "/reservations", wire::json(order).dump()).status == 201);
  CHECK(running.onLoop([&] { return *running.decisions.asked_reserve; }) == order);
  const CommitOrder commit{.autostart = true, .moves = {sampleMove()}};
  CHECK(client.post(kApi + "/reservations/op-1/commit", wire::json(commit).dump()).status == 200);
  CHECK(running.onLoop([&] { return *running.decisions.asked_commit; }) == commit);
}

TEST_CASE("each route has its own bound of a body, chunked or not") {
  Running running;
  const auto send = [&](const std::string& path, std::size_t bytes) {
    auto client = running.local();
    client.send("POST " + kApi + path +
                " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
                "Content-Length: " + std::to_string(bytes) + "\r\n\r\n");
    client.send(std::string(bytes, ' '));
    return client.reply().status;
  };
  CHECK(send("/reservations", std::size_t{16} << 20) == 400);
  CHECK(send("/reservations", (std::size_t{16} << 20) + 1) == 413);
  CHECK(send("/reservations/op-1/commit", std::size_t{256} << 10) == 400);
  CHECK(send("/reservations/op-1/commit", (std::size_t{256} << 10) + 1) == 413);
  CHECK(send("/automation", 65536) == 400);
  CHECK(send("/automation", 65537) == 413);

  auto chunked = running.local();
  chunked.send("POST " + kApi +
               "/automation HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
               "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 9; ++i) chunked.send("2000\r\n" + std::string(8192, ' ') + "\r\n");
  CHECK(chunked.reply().status == 413);
  CHECK(chunked.ended());
}

TEST_CASE("there is no plan before the first round") {
  Running running(FakeBackend::filled(), {}, test::FakeDecisions());
  const auto got = running.local().ask("GET " + kApi + "/plan");
  CHECK(got.status == 404);
  CHECK(got.json()["code"] == "not_found");
}

TEST_CASE("the global stop is set and shown") {
  Running running;
  auto client = running.local();
  CHECK(client.post(kApi + "/automation", R"({"on":true})").json()["on"] == true);
  CHECK(client.ask("GET " + kApi + "/automation").json()["on"] == true);
}

TEST_CASE("maintenance is told to whoever the path names") {
  Running running;
  const auto got = running.local().post(kApi + "/hosts/beta/maintenance", R"({"on":false})");
  CHECK(got.json() == nlohmann::json{{"host", "beta"}, {"maintenance", false}});
  CHECK(running.onLoop([&] { return running.decisions.asked_maintenance; }) == false);
}

TEST_CASE("operations are filtered by what runs, by VM and in number") {
  auto decisions = filledDecisions();
  decisions.known_operations.resize(3, sampleOperation());
  decisions.known_operations[1].state = OperationState::done;
  decisions.known_operations[2].vm = uuidOf(7);
  decisions.known_operations[2].vm_name = "left";
  Running running(FakeBackend::filled(), {}, std::move(decisions));
  auto client = running.local();
  const auto count = [&](const std::string& query) {
    return client.ask("GET " + kApi + "/operations" + query).json()["items"].size();
  };
  CHECK(count("") == 3);
  CHECK(count("?active=true") == 2);
  CHECK(count("?limit=1") == 1);
  CHECK(count("?vm=web") == 2);
  CHECK(count("?vm=" + uuidOf(7).text()) == 1);
  CHECK(count("?vm=left") == 1);
  CHECK(client.ask("GET " + kApi + "/operations?vm=nobody").status == 404);
  for (const char* query : {"?limit=0", "?limit=1001", "?active=1", "?state=done"})
    CHECK(client.ask("GET " + kApi + "/operations" + query).status == 400);
  CHECK(client.ask("GET " + kApi + "/operations/op-9").status == 404);
}

TEST_CASE("no list is told while it is not known what was under way") {
  auto decisions = filledDecisions();
  decisions.failure = Error{Code::unreachable, "this daemon has just started"};
  Running running(FakeBackend::filled(), {}, std::move(decisions));
  auto client = running.local();
  for (const char* query : {"", "?active=true", "?vm=left"})
    CHECK(client.ask("GET " + kApi + "/operations" + query).status == 503);
}

TEST_CASE("what peers ask for of a VM must be a UUID") {
  Running running;
  CHECK(running.local().ask("GET " + kApi + "/fleet/vms/web").status == 400);
  CHECK(calls(running).empty());
}

TEST_CASE("over TCP nothing is decided, moved or held without the token") {
  ServerOptions options;
  options.token = "s3cret";
  Running running(FakeBackend::filled(), options);
  auto all = doors();
  all.push_back({kApi + "/automation", R"({"on":true})", 200, ""});
  for (const auto& door : all) {
    INFO(door.path);
    auto stranger = running.tcp();
    CHECK(stranger.post(door.path, door.body).status == 401);
    auto wrong = running.tcp();
    CHECK(wrong.post(door.path, door.body, "Authorization: Bearer wrong\r\n").status == 401);
  }
  CHECK(calls(running).empty());
  auto bearer = running.tcp();
  for (const auto& door : all) {
    INFO(door.path);
    CHECK(bearer.post(door.path, door.body, "Authorization: Bearer s3cret\r\n").status ==
          door.status);
  }
}

TEST_CASE("a body that is too large is not read from those who have no token") {
  ServerOptions options;
  options.token = "s3cret";
  Running running(FakeBackend::filled(), options);
  auto stranger = running.tcp();
  stranger.send("POST " + kApi + "/reservations HTTP/1.1\r\nHost: localhost\r\n" +
                "Content-Type: application/json\r\nContent-Length: 16777216\r\n\r\n");
  CHECK(stranger.reply().status == 401);
  CHECK(stranger.ended());
}

TEST_CASE("a path of both methods says so to a third") {
  Running running;
  CHECK(running.local().ask("DELETE " + kApi + "/automation").header("Allow") == "GET, HEAD, POST");
}
