#include <bpf/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>
#include <string_view>

#include "ebpf/boards.h"
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
  ebpf.checkTold(told, "connections");
}

TEST_CASE("a connection that is refused is told as failed") {
  RunningEbpf ebpf;
  std::uint16_t port = 0;
  {
    port = Listener().port;
  }
  std::map<std::string, echo::Cell> row;
  for (int i = 0; i < kTries && row.empty(); ++i) {
    ebpf.rest();
    Stimulus client(kClient, [&] { connectTo(port); });
    client.finish();
    ebpf.read();
    row = ebpf.row("connections", {{"port", double(port)}, {"direction", "failed"}});
  }
  REQUIRE_FALSE(row.empty());
  CHECK(row.at("process") == echo::Cell(kClient));
}

/// Kernels before Linux 6.16 lack this program; others take its place there.
constexpr const char* kNewest = "on_send_head";

/// Programs to avoid, one set a run.
std::vector<std::string> olderKernel() {
  return GENERATE(std::vector<std::string>{}, std::vector<std::string>{kNewest});
}

/// Whether services can be seen here; else the source says why not.
bool seesServices(RunningEbpf& ebpf) {
  if (ebpf.has("services")) return true;
  WARN(ebpf.source().trouble());
  return false;
}

TEST_CASE("requests to a service are told by port, with sizes, latency and errors") {
  RunningEbpf ebpf({}, olderKernel());
  INFO(ebpf.source().trouble());
  if (!seesServices(ebpf)) return;
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
  ebpf.checkTold(!row.empty(), "services");
  if (row.empty()) return;
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

/// The board of the programs that this process has loaded.
class LoadedBoard {
 public:
  LoadedBoard() {
    for (const int map : bpfDescriptors("bpf-map")) {
      bpf_map_info info{};
      std::uint32_t size = sizeof info;
      if (bpf_obj_get_info_by_fd(map, &info, &size) == 0 && info.value_size >= sizeof(bpf::board))
        pages_ = ebpf::Pages(map, sizeof(bpf::board), 0, true);
    }
    REQUIRE(pages_);
  }
  void close(bpf::part part) const {
    __atomic_store_n(&gate(part).closed_ns, ebpf::monoNs(), __ATOMIC_RELEASE);
  }
  /// Lets the agent open the gate again.
  void waitForOpening(bpf::part part, RunningEbpf& ebpf) const {
    for (int i = 0; i < 200 && ebpf::peek(gate(part).closed_ns) != 0; ++i) ebpf.attend(100);
    REQUIRE(ebpf::peek(gate(part).closed_ns) == 0);
  }

 private:
  bpf::gate& gate(bpf::part part) const {
    return static_cast<bpf::board*>(pages_.start())->gates[part];
  }

  ebpf::Pages pages_;
};

/// Has programs of requests run on each processor, as often as it may take runs at once.
void useUpRuns() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) ::_exit(1);
  cpu_set_t all;
  ::sched_getaffinity(0, sizeof all, &all);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (!CPU_ISSET(cpu, &all) || ::sched_setaffinity(0, sizeof one, &one) != 0) continue;
    char byte = 0;
    for (int i = 0; i < 2 * bpf::TAKEN_AT_ONCE; ++i)
      if (::send(ends[0], &byte, 1, 0) != 1 || ::recv(ends[1], &byte, 1, 0) != 1) ::_exit(1);
  }
}

/// Counts each request of each connection, and answers when it may.
void serveWhenAllowed(const Descriptor& listener, const SharedNumber& seen,
                      const SharedNumber& allowed) {
  while (true) {
    const Descriptor peer(::accept(listener.get(), nullptr, nullptr));
    char bytes[512];
    while (::recv(peer.get(), bytes, sizeof bytes, 0) > 0) {
      for (++*seen; *allowed < *seen;) ::poll(nullptr, 0, 1);
      if (::send(peer.get(), kGood.data(), kGood.size(), MSG_NOSIGNAL) < 0) break;
    }
  }
}

TEST_CASE("a pause of the programs is no service's latency") {
  RunningEbpf ebpf;
  INFO(ebpf.source().trouble());
  if (!seesServices(ebpf)) return;
  const LoadedBoard board;
  const Listener listener;
  SharedNumber seen, allowed;
  Stimulus server(kServer, [&] { serveWhenAllowed(listener.socket, seen, allowed); });
  std::map<std::string, echo::Cell> row;
  for (int i = 0; i < kTries && row.empty(); ++i) {
    ebpf.rest();
    const Descriptor socket = connectTo(listener.port);
    char bytes[512];
    const auto ask = [&] {
      const std::uint64_t before = *seen;
      REQUIRE(::send(socket.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) > 0);
      while (*seen == before) ::poll(nullptr, 0, 1);
    };
    const auto answer = [&] {
      ++*allowed;
      REQUIRE(::recv(socket.get(), bytes, sizeof bytes, 0) > 0);
    };
    // One request is seen and its answer is not: the programs close in between.
    ask();
    board.close(bpf::PART_SERVICES);
    Stimulus others(kClient, useUpRuns);
    others.finish();
    answer();
    ::poll(nullptr, 0, 1000);
    board.waitForOpening(bpf::PART_SERVICES, ebpf);
    ask();
    answer();
    ebpf.attendFor(0.1);
    ebpf.read();
    row = ebpf.row("services", {{"port", double(listener.port)}});
  }
  ebpf.checkTold(!row.empty(), "services");
  if (!row.empty()) CHECK(numberIn(row, "latency_p95_seconds") < 0.5);
}

constexpr std::size_t kMuch = 8 << 20;

/// Answers a request with much, offered all at once again and again to a socket that takes what it
/// has room for.
void serveMuch(const Descriptor& listener) {
  const std::vector<char> answer(kMuch, 'x');
  while (true) {
    const Descriptor peer(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK));
    pollfd watched{peer.get(), POLLIN, 0};
    char bytes[512];
    ::poll(&watched, 1, -1);
    if (::recv(peer.get(), bytes, sizeof bytes, 0) <= 0) continue;
    watched.events = POLLOUT;
    for (std::size_t sent = 0; sent < answer.size();) {
      const ssize_t size =
          ::send(peer.get(), answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
      if (size > 0) sent += static_cast<std::size_t>(size);
      if (size < 0 && errno != EAGAIN) break;
      if (size < 0) ::poll(&watched, 1, -1);
    }
  }
}

/// Reads much of an answer, in pieces with pauses.
void askForMuch(std::uint16_t port) {
  const Descriptor socket = connectTo(port);
  if (::send(socket.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) ::_exit(1);
  std::vector<char> bytes(256 << 10);
  for (std::size_t had = 0; had < kMuch; ::poll(nullptr, 0, 2)) {
    const ssize_t size = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (size <= 0) ::_exit(1);
    had += static_cast<std::size_t>(size);
  }
}

TEST_CASE("of what a service offers to a slow reader only what was taken is told as sent") {
  RunningEbpf ebpf({}, olderKernel());
  INFO(ebpf.source().trouble());
  if (!seesServices(ebpf)) return;
  const Listener listener;
  Stimulus server(kServer, [&] { serveMuch(listener.socket); });
  const std::string key =
      "guest_service_response_bytes_total{port=" + std::to_string(listener.port) + "}";
  bool told = false;
  for (int i = 0; i < kTries && !told; ++i) {
    const Reading before = ebpf.rest();
    Stimulus client(kClient, [&] { askForMuch(listener.port); });
    client.finish();
    const Reading reading = ebpf.read();
    if (!ebpf.isExact("services") || !reading.contains(key)) continue;
    told = true;
    const double sent = reading.at(key) - (before.contains(key) ? before.at(key) : 0);
    CHECK(sent == double(kMuch));
  }
  ebpf.checkTold(told, "services");
}

}  // namespace
}  // namespace virtseer::agent
