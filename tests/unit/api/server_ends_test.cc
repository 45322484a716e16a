#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "http_client.h"

/// How the server begins and how it stops.
using namespace virtseer;
using namespace virtseer::api;

namespace {

const std::string kVm = "/api/v1/vms/web";

}  // namespace

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
