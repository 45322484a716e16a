#include <catch2/catch.hpp>

#include "http_client.h"

/// What clients may ask of the server: sizes, time, connections, rights.
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
