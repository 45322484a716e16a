#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>
#include <string_view>

#include "ebpf_kernel.h"

namespace virtseer::agent {
namespace {

constexpr const char* kServer = "vs-server";
constexpr const char* kClient = "vs-client";
constexpr int kTries = 20;

/// A listening socket of loopback, and its port.
struct Listener {
  Listener() : socket(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket.get(), 128) == 0);
    socklen_t size = sizeof address;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  Descriptor socket;
  std::uint16_t port = 0;
};

Descriptor connectTo(std::uint16_t port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    socket.reset();
  return socket;
}

constexpr std::string_view kRequest = "GET /secret HTTP/1.1\r\nHost: here\r\n\r\n";
constexpr std::string_view kGood = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
constexpr std::string_view kBad = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nNO";

/// Answers every request of each connection, each fourth badly.
void serve(const Descriptor& listener) {
  int served = 0;
  while (true) {
    const Descriptor peer(::accept(listener.get(), nullptr, nullptr));
    char bytes[512];
    while (::recv(peer.get(), bytes, sizeof bytes, 0) > 0) {
      const std::string_view answer = ++served % 4 == 0 ? kBad : kGood;
      // The head of an answer comes in the first piece, as servers do it.
      iovec pieces[2] = {{const_cast<char*>(answer.data()), 20},
                         {const_cast<char*>(answer.data()) + 20, answer.size() - 20}};
      if (::writev(peer.get(), pieces, 2) < 0) break;
    }
  }
}

void ask(std::uint16_t port, int requests) {
  const Descriptor socket = connectTo(port);
  char bytes[512];
  for (int i = 0; i < requests; ++i)
    if (::send(socket.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0 ||
        ::recv(socket.get(), bytes, sizeof bytes, 0) <= 0)
      ::_exit(1);
}

TEST_CASE("new connections are told with their peer, port and process") {
  RunningEbpf ebpf;
  INFO(ebpf.source().trouble());
  const Listener listener;
  Stimulus server(kServer, [&] { serve(listener.socket); });
  bool told = false;
  for (int i = 0; i < kTries && !told; ++i) {
    const Reading before = ebpf.rest();
    Stimulus client(kClient, [&] {
      for (int turn = 0; turn < 100; ++turn)
        if (!connectTo(listener.port)) ::_exit(1);
      ::poll(nullptr, 0, 100);
    });
    client.finish();
    const Reading reading = ebpf.read();
    if (!ebpf.isExact("connections")) continue;
    const double port = listener.port;
    const auto out = ebpf.row("connections", {{"port", port}, {"direction", "out"}});
    REQUIRE_FALSE(out.empty());
    told = true;
    CHECK(ebpf.tells(numberIn(out, "new_per_second"), 100));
    CHECK(out.at("peer") == echo::Cell("127.0.0.1"));
    CHECK(out.at("process") == echo::Cell(kClient));
    const auto in = ebpf.row("connections", {{"port", port}, {"direction", "in"}});
    CHECK(ebpf.tells(numberIn(in, "new_per_second"), 100));
    CHECK(reading.at("guest_tcp_connections_total{direction=out}") -
              before.at("guest_tcp_connections_total{direction=out}") >=
          99);
  }
  CHECK(told);
}

TEST_CASE("a connection that is refused is told as failed") {
  RunningEbpf ebpf;
  std::uint16_t port = 0;
  {
    port = Listener().port;
  }
  ebpf.read();
  std::map<std::string, echo::Cell> row;
  for (int i = 0; i < kTries && row.empty(); ++i) {
    Stimulus client(kClient, [&] { connectTo(port); });
    client.finish();
    ebpf.read();
    row = ebpf.row("connections", {{"port", double(port)}, {"direction", "failed"}});
  }
  REQUIRE_FALSE(row.empty());
  CHECK(row.at("process") == echo::Cell(kClient));
}

TEST_CASE("requests to a service are told by port, with sizes, latency and errors") {
  RunningEbpf ebpf;
  INFO(ebpf.source().trouble());
  if (!ebpf.has("services")) return;  // the kernel has no place to see them from, and it says so
  const Listener listener;
  Stimulus server(kServer, [&] { serve(listener.socket); });
  std::map<std::string, echo::Cell> row;
  Reading reading;
  for (int i = 0; i < kTries && row.empty(); ++i) {
    ebpf.rest();
    Stimulus client(kClient, [&] {
      ask(listener.port, 400);
      ::poll(nullptr, 0, 100);
    });
    client.finish();
    reading = ebpf.read();
    if (ebpf.isExact("services")) row = ebpf.row("services", {{"port", double(listener.port)}});
  }
  REQUIRE_FALSE(row.empty());
  CHECK(row.at("process") == echo::Cell(kServer));
  CHECK(ebpf.tells(numberIn(row, "requests_per_second"), 400));
  CHECK(numberIn(row, "errors_ratio") == Approx(0.25).epsilon(0.05));
  CHECK(ebpf.tells(numberIn(row, "request_bytes_per_second"), 400.0 * kRequest.size()));
  CHECK(ebpf.tells(numberIn(row, "response_bytes_per_second"),
                   300.0 * kGood.size() + 100.0 * kBad.size()));
  CHECK(numberIn(row, "latency_p50_seconds") > 0);
  CHECK(numberIn(row, "latency_p50_seconds") <= numberIn(row, "latency_p95_seconds"));
  const std::string port = "{port=" + std::to_string(listener.port);
  CHECK(reading.at("guest_service_requests_total" + port + "}") >= 380);
  CHECK(reading.at("guest_service_latency_seconds" + port + ",probability=0.95}") > 0);
  CHECK(reading.at("guest_service_responses_total{class=5xx,port=" + std::to_string(listener.port) +
                   "}") >= 90);
}

}  // namespace
}  // namespace virtseer::agent
