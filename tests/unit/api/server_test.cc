#include "api/server.h"

#include <catch2/catch.hpp>

#include "http_client.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {

const std::string kVm = "/api/v1/vms/web";

}  // namespace

TEST_CASE("each route answers over the UNIX socket with its type and the common headers") {
  Running running;
  auto client = running.local();
  const std::pair<const char*, const char*> expected[] = {
      {"/api/v1/hosts", "application/json"},
      {"/api/v1/hosts/alpha", "application/json"},
      {"/api/v1/hosts/alpha/series", "application/json"},
      {"/api/v1/hosts/alpha/latest", "application/json"},
      {"/api/v1/vms?gone=true", "application/json"},
      {"/api/v1/vms/web", "application/json"},
      {"/api/v1/vms/web/series", "application/json"},
      {"/api/v1/vms/web/series?metric=guest_load1&from=-5m&step=5s", "application/json"},
      {"/api/v1/vms/web/latest", "application/json"},
      {"/api/v1/vms/web/events", "application/json"},
      {"/api/v1/events?entity=web", "application/json"},
      {"/api/v1/health", "application/json"},
      {"/api/v1/openapi.yaml", "application/yaml"},
      {"/metrics", "text/plain; version=0.0.4; charset=utf-8"}};
  for (const auto& [target, type] : expected) {
    INFO(target);
    const auto got = client.ask(std::string("GET ") + target);
    CHECK(got.status == 200);
    CHECK(got.header("Content-Type") == type);
    CHECK(got.header("Cache-Control") == "no-store");
    CHECK(got.header("Server") == "virtseer/0.1.0");
    CHECK_FALSE(got.header("X-Request-Id").empty());
    CHECK_FALSE(got.header("Date").empty());
    if (std::string_view(type) == "application/json") CHECK(got.json().is_object());
    const auto head = client.ask(std::string("HEAD ") + target);
    CHECK(head.status == 200);
    CHECK(head.header("Content-Type") == type);
    CHECK(head.header("Content-Length") == got.header("Content-Length"));
  }
  CHECK(running.counts().refused == 0);
}

TEST_CASE("healthz says ok, or 503 and what to do") {
  auto well = FakeBackend::filled();
  well.state.problems.clear();
  Running good(well), bad;
  CHECK(good.local().ask("GET /healthz").body == "ok\n");
  const auto got = bad.local().ask("GET /healthz");
  CHECK(got.status == 503);
  CHECK(got.body == "libvirt does not answer; start it\n");
}

TEST_CASE("points come in the shape of series") {
  Running running;
  const auto got =
      running.local().ask("GET " + kVm + "/series?metric=guest_cpu_seconds_total").json();
  CHECK(got["truncated"] == true);
  CHECK(got["damaged_chunks"] == 3);
  CHECK(got["next"].is_null());
  CHECK(got["items"][0]["points"][0]["time"] == "2026-01-31T08:05:00.250Z");
  CHECK(got["items"][0]["points"][0]["value"] == 0.1);
}

TEST_CASE("a peer is one of the hosts, and its series are asked for where they are kept") {
  auto backend = FakeBackend::filled();
  HostView silent;
  silent.host.name = silent.peer = "gamma";
  silent.answers = false;
  silent.error = "gamma: refuses connections";
  backend.known_hosts.push_back(FakeBackend::peer());
  backend.known_hosts.push_back(silent);
  Running running(backend);
  auto client = running.local();
  const auto items = client.ask("GET /api/v1/hosts").json()["items"];
  REQUIRE(items.size() == 3);
  CHECK(items[0]["self"] == true);
  CHECK(items[0]["answers"] == true);
  CHECK(items[1]["name"] == "beta-1");
  CHECK(items[1]["maintenance"] == true);
  CHECK(items[1]["heard"] == "2026-01-31T08:04:58.000Z");
  CHECK(items[2]["uuid"].is_null());
  CHECK(items[2]["answers"] == false);
  CHECK(items[2]["heard"].is_null());
  CHECK(items[2]["error"] == "gamma: refuses connections");
  CHECK(items[2]["usage"]["vms_running"].is_null());
  for (const std::string& key : {std::string("beta-1"), std::string("beta"), uuidOf(3).text()})
    CHECK(client.ask("GET /api/v1/hosts/" + key).json()["name"] == "beta-1");
  CHECK(client.ask("GET /api/v1/hosts/gamma").json()["answers"] == false);
  CHECK(client.ask("GET /api/v1/hosts/" + Uuid().text()).status == 404);
  for (const std::string tail : {"/series", "/series?metric=m", "/latest"}) {
    const auto got = client.ask("GET /api/v1/hosts/beta-1" + tail);
    CHECK(got.status == 404);
    CHECK(got.json()["detail"] == "series of beta-1 are kept by the daemon there: ask that one");
  }
}

TEST_CASE("events come in pages") {
  auto backend = FakeBackend::filled();
  backend.known_events.resize(3, backend.known_events[0]);
  for (std::size_t i = 0; i < 3; ++i) backend.known_events[i].id = 30 - i;
  Running running(backend);
  auto client = running.local();
  const auto first = client.ask("GET /api/v1/events?limit=2").json();
  CHECK(first["items"].size() == 2);
  CHECK(first["next"] == "29");
  CHECK(client.ask("GET /api/v1/events?limit=3").json()["next"].is_null());
  client.ask("GET /api/v1/events?limit=2&cursor=29");
  CHECK(running.backend.asked_events->before_id == 29u);
}

TEST_CASE("a search for events that was ended early says where to go on") {
  auto backend = FakeBackend::filled();
  backend.known_events.clear();
  backend.next_events = 17;
  Running running(backend);
  const auto page = running.local().ask("GET /api/v1/events?kind=rare").json();
  CHECK(page["items"].empty());
  CHECK(page["next"] == "17");
}

TEST_CASE("an order for work reaches the backend") {
  Running running;
  const std::string body = R"({"cpu_cores":0.5,"duration_ms":1000})";
  const auto got = running.local().ask(
      "POST " + kVm + "/load",
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n",
      body);
  CHECK(got.status == 202);
  CHECK(got.json() == nlohmann::json{{"id", 7}});
  CHECK(running.backend.asked_load->cpu_cores == 0.5);
}

TEST_CASE("a chunked body is read, and 100-continue answered") {
  Running running;
  auto client = running.local();
  client.send("POST " + kVm +
              "/load HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
              "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.reply(true).status == 100);
  client.send("8\r\n{\"durati\r\n9\r\non_ms\":1}\r\n0\r\n\r\n");
  CHECK(client.reply().status == 202);
  CHECK(client.ask("GET /api/v1/health").status == 200);
}

TEST_CASE("pipelined requests are answered in their order") {
  Running running;
  auto client = running.local();
  std::string requests;
  for (int i = 0; i < 50; ++i)
    requests += "GET " + kVm + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: n" + std::to_string(i) +
                "\r\nContent-Length: 3\r\n\r\nGET";
  client.send(requests);
  for (int i = 0; i < 50; ++i) {
    const auto got = client.reply();
    CHECK(got.status == 200);
    CHECK(got.header("X-Request-Id") == "n" + std::to_string(i));
  }
}

TEST_CASE("a request id is taken over only if it is harmless") {
  Running running;
  auto client = running.local();
  CHECK(client.ask("GET /api/v1/nothing", "X-Request-Id: abc-1\r\n").json()["request_id"] ==
        "abc-1");
  const auto odd = client.ask("GET /api/v1/nothing", "X-Request-Id: a\"<b\r\n");
  CHECK(odd.header("X-Request-Id") != "a\"<b");
  CHECK(odd.json()["request_id"] == odd.header("X-Request-Id"));
}

TEST_CASE("wrong paths, methods and parameters are problems, and the connection goes on") {
  Running running;
  auto client = running.local();
  const std::tuple<const char*, unsigned, const char*> expected[] = {
      {"GET /nothing", 404, "not_found"},
      {"DELETE /api/v1/vms", 405, "method_not_allowed"},
      {"BREW /api/v1/vms", 405, "method_not_allowed"},
      {"GET /api/v1/vms/nobody", 404, "not_found"},
      {"GET /api/v1/vms?x=1", 400, "invalid"},
      {"GET /api/v1/vms?gone=%zz", 400, "invalid"},
      {"GET /api/v1/vms/web/series?from=-1h", 400, "invalid"},
      {"GET http://localhost/metrics", 400, "invalid"},
      {"POST /api/v1/vms/web/load", 415, "unsupported_media_type"}};
  for (const auto& [line, status, code] : expected) {
    INFO(line);
    const auto got = client.ask(line);
    CHECK(got.status == status);
    CHECK(got.header("Content-Type") == "application/problem+json");
    CHECK(got.json()["code"] == code);
    CHECK(got.json()["status"] == status);
  }
  CHECK(client.ask("DELETE /metrics").header("Allow") == "GET, HEAD");
}

TEST_CASE("failures of the backend keep their codes") {
  auto backend = FakeBackend::filled();
  backend.fails = true;
  backend.failure = {Code::refused, "web is production"};
  Running running(backend);
  const auto got = running.local().ask("POST " + kVm + "/load",
                                       "Content-Type: application/json\r\nContent-Length: 17\r\n",
                                       R"({"duration_ms":1})");
  CHECK(got.status == 403);
  CHECK(got.json()["detail"] == "web is production");
}

TEST_CASE("a handler that throws is answered 500 and counted, and the server lives") {
  auto backend = FakeBackend::filled();
  backend.throws = true;
  Running running(backend);
  auto client = running.local();
  CHECK(client.ask("GET " + kVm).status == 500);
  CHECK(client.ask("GET /api/v1/hosts/alpha/series?metric=m").status == 500);
  CHECK(client.ask("GET /api/v1/health").status == 200);
  CHECK(running.counts().failed == 2);
}
