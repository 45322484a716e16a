#include "api/server.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "http_client.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {

const std::string kVm = "/api/v1/vms/web";

ServerOptions impatient() {
  ServerOptions options;
  options.read_timeout = options.request_deadline = options.idle_timeout = Millis(50);
  return options;
}

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

TEST_CASE("what is too large is refused and the connection ended") {
  Running running;
  auto wide = running.local();
  wide.send("GET /metrics HTTP/1.1\r\nHost: x\r\nX-Filler: " + std::string(17000, 'a') +
            "\r\n\r\n");
  const auto header = wide.reply();
  CHECK(header.status == 431);
  CHECK(header.header("Connection") == "close");
  CHECK(wide.ended());

  auto endless = running.local();
  endless.send("GET /" + std::string(20000, 'a'));
  CHECK(endless.reply().status == 431);

  auto heavy = running.local();
  heavy.send("POST " + kVm + "/load HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n" +
             std::string(65537, 'x'));
  CHECK(heavy.reply().status == 413);
  CHECK(heavy.ended());

  auto chunked = running.local();
  chunked.send("POST " + kVm + "/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 9; ++i) chunked.send("2000\r\n" + std::string(8192, 'x') + "\r\n");
  CHECK(chunked.reply().status == 413);
  CHECK(running.counts().refused == 4);
}

TEST_CASE("what is not HTTP is refused and the connection ended") {
  Running running;
  for (const char* bytes :
       {"\x16\x03\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET /metrics HTTP/9.9\r\n\r\n", "\r\n\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nA B: c\r\n\r\n",
        "POST /api/v1/vms/web/load HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: "
        "chunked\r\n\r\n"}) {
    INFO(bytes);
    auto client = running.local();
    client.send(bytes);
    const auto got = client.reply();
    CHECK(got.status == 400);
    CHECK(got.json()["code"] == "malformed");
    CHECK(client.ended());
  }
}

TEST_CASE("HTTP/1.0 and Connection: close end the connection after the answer") {
  Running running;
  auto old = running.local();
  old.send("GET /api/v1/health HTTP/1.0\r\n\r\n");
  CHECK(old.reply().status == 200);
  CHECK(old.ended());
  auto polite = running.local();
  CHECK(polite.ask("GET /api/v1/health", "Connection: close\r\n").status == 200);
  CHECK(polite.ended());
}

TEST_CASE("clients that send nothing, half a header or half a body are dropped") {
  Running running(FakeBackend::filled(), impatient());
  auto silent = running.local(), slow = running.local(), half = running.local();
  slow.send("GET /metr");
  half.send("POST " + kVm +
            "/load HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\n{");
  CHECK(silent.ended());
  CHECK(slow.ended());
  half.reply();
  CHECK(half.ended());
  CHECK(running.counts().timed_out == 2);
  CHECK(running.soon([](const ServerCounts& counts) { return counts.connections == 0; }));
}

TEST_CASE("a client that does not take its answer is dropped") {
  auto backend = FakeBackend::filled();
  backend.answer.series[0].points.resize(100'000, {at("2026-01-31T08:05:00Z"), 0.1});
  Running running(backend, impatient());
  auto client = running.local();
  client.send("GET " + kVm + "/series?metric=m HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(running.soon([](const ServerCounts& counts) { return counts.timed_out == 1; }));
  CHECK(running.soon([](const ServerCounts& counts) { return counts.connections == 0; }));
}

TEST_CASE("a handler past the deadline is cancelled and answered 504") {
  auto backend = FakeBackend::filled();
  backend.hangs = true;
  Running running(backend, impatient());
  const auto got = running.local().ask("GET " + kVm + "/series?metric=m");
  CHECK(got.status == 504);
  CHECK(got.json()["code"] == "timeout");
  CHECK(running.counts().timed_out == 1);
  CHECK(running.backend.hang_ended);
}

TEST_CASE("connections beyond the bound are told so, and there is room again afterwards") {
  ServerOptions options;
  options.max_connections = 2;
  Running running(FakeBackend::filled(), options);
  {
    auto first = running.local(), second = running.local();
    CHECK(first.ask("GET /api/v1/health").status == 200);
    CHECK(second.ask("GET /api/v1/health").status == 200);
    auto third = running.local();
    const auto got = third.reply();
    CHECK(got.status == 503);
    CHECK(got.header("Retry-After") == "1");
    CHECK(got.json()["code"] == "busy");
    CHECK(first.ask("GET /api/v1/health").status == 200);
  }
  CHECK(running.soon([](const ServerCounts& counts) { return counts.connections == 0; }));
  CHECK(running.local().ask("GET /api/v1/health").status == 200);
  CHECK(running.counts().refused == 1);
}

TEST_CASE("connections over TCP leave places to the UNIX socket") {
  ServerOptions options;
  options.max_connections = 4;
  Running running(FakeBackend::filled(), options);
  auto first = running.tcp(), second = running.tcp(), third = running.tcp();
  for (Client* client : {&first, &second, &third})
    CHECK(client->ask("GET /api/v1/health").status == 200);
  auto fourth = running.tcp();
  CHECK(fourth.reply().status == 503);
  auto local = running.local();
  CHECK(local.ask("GET /api/v1/health").status == 200);
  auto surplus = running.local();
  CHECK(surplus.reply().status == 503);
  CHECK(running.counts().refused == 2);
}

TEST_CASE("a request that is only wrong is no refusal") {
  Running running;
  auto client = running.tcp();
  CHECK(client.ask("GET /nothing").status == 404);
  CHECK(client.ask("DELETE " + kVm, "X: y\r\n").status == 401);
  CHECK(running.counts().refused == 1);
}

TEST_CASE("over TCP, loopback may read, the token may all, foreign names nothing") {
  ServerOptions options;
  options.token = "s3cret";
  Running running(FakeBackend::filled(), options);
  const std::string order = "Content-Type: application/json\r\nContent-Length: 17\r\n";
  const std::string body = R"({"duration_ms":1})";
  auto client = running.tcp();
  CHECK(client.ask("GET " + kVm).status == 200);
  CHECK(client.ask("HEAD " + kVm).status == 200);
  CHECK(client.ask("POST " + kVm + "/load", order + "Authorization: Bearer s3cret\r\n", body)
            .status == 202);
  CHECK(client.ask("GET " + kVm, "Authorization: Bearer wrong\r\n").status == 401);
  const auto refusal = client.ask("POST " + kVm + "/load", order, body);
  CHECK(refusal.status == 401);
  CHECK(refusal.header("WWW-Authenticate") == "Bearer realm=\"virtseer\"");
  CHECK(refusal.header("Connection") == "close");

  auto rebound = running.tcp();
  rebound.send("GET " + kVm + " HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  CHECK(rebound.reply().status == 421);
  auto nameless = running.tcp();
  nameless.send("GET " + kVm + " HTTP/1.1\r\n\r\n");
  CHECK(nameless.reply().status == 400);
}

TEST_CASE("stopping lets a request that runs end, and then ends its connection") {
  auto backend = FakeBackend::filled();
  backend.hangs = true;
  Running running(backend);
  auto client = running.local();
  client.send("GET " + kVm + "/series?metric=m HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(running.soon([](const ServerCounts& counts) { return counts.requests == 1; }));
  auto stopped = running.beginStop(Millis(60'000));
  running.onLoop([&] { return running.backend.release(), 0; });
  CHECK_THROWS(running.local());
  const auto got = client.reply();
  CHECK(got.status == 200);
  CHECK(got.header("Connection") == "close");
  CHECK(client.ended());
  stopped.get();
}

TEST_CASE("stopping ends idle connections at once and takes the socket away") {
  auto backend = FakeBackend::filled();
  Running running(backend);
  auto idle = running.local();
  CHECK(idle.ask("GET /api/v1/health").status == 200);
  const auto socket = running.socket();
  running.stop(Millis(60'000));
  CHECK(idle.ended());
  CHECK_FALSE(std::filesystem::exists(socket));
  CHECK_THROWS(Client::local(socket));
}

TEST_CASE("stopping does not wait longer than its patience for a request that hangs") {
  auto backend = FakeBackend::filled();
  backend.hangs = true;
  Running running(backend);
  auto client = running.local();
  client.send("GET " + kVm + "/series?metric=m HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(running.soon([](const ServerCounts& counts) { return counts.requests == 1; }));
  running.stop(Millis(20));
  CHECK(running.backend.hang_ended);
  CHECK(client.ended());
}

TEST_CASE("a socket of a dead daemon is replaced, a live one and a file are errors") {
  Scratch scratch;
  FakeBackend backend;
  test::FakeDecisions decisions;
  SystemClock clock;
  boost::asio::io_context io;
  ServerOptions options;
  options.socket = scratch / "s";
  {
    const auto dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, options.socket.c_str(), sizeof address.sun_path - 1);
    REQUIRE(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    close(dead);
  }
  {
    const auto replaced = Server::start(io.get_executor(), backend, decisions, clock, options);
    REQUIRE(replaced);
    struct stat status{};
    REQUIRE(stat(options.socket.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0660);
    const auto second = Server::start(io.get_executor(), backend, decisions, clock, options);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Code::refused);
    CHECK(std::filesystem::exists(options.socket));
  }
  CHECK_FALSE(std::filesystem::exists(options.socket));
  fclose(fopen(options.socket.c_str(), "w"));
  CHECK(Server::start(io.get_executor(), backend, decisions, clock, options).error().code ==
        Code::invalid);
  CHECK(std::filesystem::exists(options.socket));
}

TEST_CASE("wrong addresses are refused with a text") {
  FakeBackend backend;
  test::FakeDecisions decisions;
  SystemClock clock;
  boost::asio::io_context io;
  for (const char* listen :
       {"8686", "localhost:8686", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x"}) {
    ServerOptions options;
    options.listen = listen;
    CHECK(Server::start(io.get_executor(), backend, decisions, clock, options).error().code ==
          Code::invalid);
  }
  ServerOptions options;
  options.socket = "/tmp/" + std::string(120, 'x');
  CHECK(Server::start(io.get_executor(), backend, decisions, clock, options).error().code ==
        Code::invalid);
  options.socket = "/nonexistent/s";
  CHECK(Server::start(io.get_executor(), backend, decisions, clock, options).error().code ==
        Code::failed);
}
