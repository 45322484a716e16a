#include <nlohmann/json.hpp>

#include "fleet/http.h"
#include "unit/fleet/scripted_daemon.h"
#include "unit/wire/worlds.h"
#include "wire/wire.h"

using namespace virtseer;
using namespace virtseer::fleet;

namespace {

/// Longer than a label may be (RFC 1035): refused without asking any name server.
const std::string kNoName = std::string(70, 'x');
const std::string kToken = "a-secret-of-32-characters-0123456";

/// On loopback, where connections are neither taken nor refused: its queue of them is full.
class SilentPort {
 public:
  SilentPort() : acceptor_(io_, asio::ip::tcp::v4()), waiting_(io_) {
    acceptor_.bind({asio::ip::address_v4::loopback(), 0});
    acceptor_.listen(0);
    waiting_.connect(endpoint());
    acceptor_.wait(asio::socket_base::wait_read);
  }
  asio::ip::tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  asio::ip::tcp::socket waiting_;
};

asio::ip::tcp::endpoint loopback(const std::string& port) {
  return {asio::ip::address_v4::loopback(), static_cast<unsigned short>(std::stoul(port))};
}

/// One peer, whose daemon is scripted.
struct Pair {
  explicit Pair(Millis deadline = Millis(5000)) { connect(daemon.url(), deadline); }
  ~Pair() {
    asio::co_spawn(io, daemon.stop(), [](std::exception_ptr) {});
    io.restart();
    io.run_for(std::chrono::seconds(5));
  }
  void connect(const std::string& url, Millis deadline) {
    PeerOptions options;
    options.name = "beta", options.url = url, options.token = kToken;
    options.migration_uri = "qemu+tcp://127.0.0.1:" + daemon.port() + "/system";
    options.deadline = deadline;
    peers = std::make_unique<HttpPeers>(io.get_executor(), clock,
                                        std::vector<PeerOptions>{std::move(options)});
  }
  act::Peer& peer() { return *peers->all().front(); }
  template <class T>
  T get(asio::awaitable<T> task) {
    return complete(io, std::move(task));
  }
  /// The failure of a question that any peer may be asked.
  Error failure() {
    const auto answer = get(peer().vm(vm));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().message.starts_with("beta: "));
    CHECK(answer.error().message.find(kToken) == std::string::npos);
    return answer.error();
  }

  asio::io_context io{1};
  ManualClock clock{*parseRfc3339("2026-01-31T08:00:00Z")};
  ScriptedDaemon daemon{io};
  std::unique_ptr<HttpPeers> peers;
  Uuid vm = wire::Worlds(99).uuid();
};

}  // namespace

TEST_CASE("each question is the request that the API names, with the token and the host") {
  Pair pair;
  wire::Worlds worlds(5);
  const auto operation = worlds.operation();
  const auto reservation = worlds.reservation();
  const auto commit = worlds.commitOrder();
  const auto order = worlds.reserveOrder();
  const auto answer = worlds.reserveAnswer();
  const auto remote = worlds.remoteVm();
  pair.daemon.script = [&](const Asked& asked) {
    const auto line = asked.line();
    if (line.find("renew") != std::string::npos) return reply(200, wire::json(reservation).dump());
    if (line.find("return") != std::string::npos) return reply(202, wire::json(operation).dump());
    if (line.find("operations/") != std::string::npos)
      return reply(200, wire::json(operation).dump());
    if (line.find("fleet/vms") != std::string::npos) return reply(200, wire::json(remote).dump());
    if (line.find("reservations HTTP") != std::string::npos)
      return reply(201, wire::json(answer).dump());
    return reply(200, "{}");
  };
  auto& peer = pair.peer();
  const auto& asked = pair.daemon.asked;

  CHECK(pair.get(peer.reserve(order)) == answer);
  CHECK(asked.back().line() == "POST /api/v1/reservations HTTP/1.1");
  CHECK(wire::reserveOrder(asked.back().body) == order);
  CHECK(asked.back().header("Authorization") == "Bearer " + kToken);
  CHECK(asked.back().header("Host") == "127.0.0.1:" + pair.daemon.port());
  CHECK(asked.back().header("Content-Type") == "application/json");

  CHECK(pair.get(peer.renew("op-1")) == reservation);
  CHECK(asked.back().line() == "POST /api/v1/reservations/op-1/renew HTTP/1.1");
  CHECK(pair.get(peer.release("op-1")));
  CHECK(asked.back().line() == "POST /api/v1/reservations/op-1/release HTTP/1.1");
  CHECK(pair.get(peer.revive("op-1")));
  CHECK(asked.back().line() == "POST /api/v1/reservations/op-1/revive HTTP/1.1");
  CHECK(pair.get(peer.takeToken("op-1", "0123456789abcdef\"")));
  CHECK(asked.back().line() == "POST /api/v1/reservations/op-1/agent-token HTTP/1.1");
  CHECK(asked.back().body == R"({"token":"0123456789abcdef\""})");
  CHECK(pair.get(peer.commit("op-1", commit)));
  CHECK(asked.back().line() == "POST /api/v1/reservations/op-1/commit HTTP/1.1");
  CHECK(wire::commitOrder(asked.back().body) == commit);
  auto shown = operation;
  shown.record = {};
  CHECK(pair.get(peer.sendBack("op-1")) == shown);
  CHECK(asked.back().line() == "POST /api/v1/reservations/op-1/return HTTP/1.1");
  CHECK(pair.get(peer.operation("op-1")) == shown);
  CHECK(asked.back().line() == "GET /api/v1/operations/op-1 HTTP/1.1");
  CHECK(asked.back().header("Authorization") == "Bearer " + kToken);
  CHECK(pair.get(peer.vm(pair.vm)) == remote);
  CHECK(asked.back().line() == "GET /api/v1/fleet/vms/" + pair.vm.text() + " HTTP/1.1");
  CHECK(pair.get(peer.setMaintenance(true)));
  CHECK(asked.back().line() == "POST /api/v1/hosts/beta/maintenance HTTP/1.1");
  CHECK(asked.back().body == R"({"on":true})");
}

TEST_CASE("an id cannot add a header or leave its path") {
  Pair pair;
  CHECK(pair.get(pair.peer().release("x/../y HTTP/1.1\r\nX-Evil: 1")));
  REQUIRE(pair.daemon.asked.size() == 1);
  CHECK(pair.daemon.asked[0].line() ==
        "POST /api/v1/reservations/x%2F..%2Fy%20HTTP%2F1.1%0D%0AX-Evil%3A%201/release HTTP/1.1");
  CHECK(pair.daemon.asked[0].header("X-Evil").empty());
  for (const char* id : {"", ".", ".."}) {
    const auto answer = pair.get(pair.peer().release(id));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Code::invalid);
  }
  CHECK(pair.daemon.asked.size() == 1);
}

TEST_CASE("a token that would break the request is not sent") {
  Pair pair;
  PeerOptions options;
  options.name = "beta", options.url = pair.daemon.url(), options.token = "x\r\nX-Evil: 1";
  pair.peers = std::make_unique<HttpPeers>(pair.io.get_executor(), pair.clock,
                                           std::vector<PeerOptions>{options});
  CHECK(pair.failure().code == Code::invalid);
  CHECK(pair.daemon.asked.empty());
}

TEST_CASE("nobody there is unreachable, a silent daemon is timed out: from both nothing follows") {
  SECTION("the connection is refused") {
    Pair pair;
    pair.connect("http://127.0.0.1:" + deadPort(), Millis(5000));
    const auto error = pair.failure();
    CHECK(error.code == Code::unreachable);
    CHECK(error.message == "beta: the connection was refused: is the daemon there running?");
  }
  SECTION("the name is not known") {
    Pair pair;
    pair.connect("http://" + kNoName + ":8470", Millis(5000));
    CHECK(pair.failure().code == Code::unreachable);
  }
  SECTION("the URL is none") {
    Pair pair;
    pair.connect("beta", Millis(5000));
    CHECK(pair.failure().code == Code::invalid);
  }
  SECTION("it takes the request and says nothing") {
    Pair pair(Millis(50));
    pair.daemon.script = [](const Asked&) { return std::nullopt; };
    const auto error = pair.failure();
    CHECK(error.code == Code::timeout);
    CHECK(error.message == "beta: no answer in time");
    CHECK(pair.daemon.asked.size() == 1);
  }
}

TEST_CASE("an answer that is cut is no answer: the other side may have acted") {
  Pair pair;
  const std::string whole = reply(200, wire::json(wire::Worlds(1).remoteVm()).dump());
  for (const std::size_t kept : {std::size_t{0}, std::size_t{5}, whole.find("\r\n\r\n") + 2,
                                 whole.find("\r\n\r\n") + 4, whole.size() - 1}) {
    INFO(kept << " bytes");
    pair.daemon.script = [&](const Asked&) { return whole.substr(0, kept); };
    CHECK(pair.failure().code == Code::timeout);
  }
}

TEST_CASE("an answer that is not understood is a failure of its own, never one of the question") {
  Pair pair;
  const std::vector<std::string> replies{reply(200, ""),
                                         reply(200, "{}"),
                                         reply(200, "[1,2"),
                                         reply(200, R"({"presence":7})"),
                                         reply(200, "<html>hello</html>"),
                                         "SSH-2.0-OpenSSH_9.2\r\n\r\n",
                                         "HTTP/1.1 200 OK\r\n\r\n{}",
                                         reply(204, ""),
                                         "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"};
  for (const auto& bytes : replies) {
    INFO(bytes);
    pair.daemon.script = [&](const Asked&) { return bytes; };
    CHECK(pair.failure().code == Code::failed);
  }
}

TEST_CASE("an answer that is too large is given up before it is read") {
  Pair pair;
  pair.daemon.script = [](const Asked&) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n{";
  };
  CHECK(pair.failure().code == Code::failed);
  pair.daemon.script = [](const Asked&) { return reply(200, std::string(2u << 20, ' ')); };
  CHECK(pair.failure().message == "beta: the answer is too large");
  pair.daemon.script = [](const Asked&) {
    return reply(200, "{}", "X-Long: " + std::string(100'000, 'x') + "\r\n");
  };
  CHECK(pair.failure().code == Code::failed);
}

TEST_CASE("a refusal has the code and the words of the daemon there") {
  Pair pair;
  const auto told = [&](const std::string& bytes) {
    pair.daemon.script = [bytes](const Asked&) { return bytes; };
    return pair.failure();
  };
  CHECK(told(problem(403, "refused", "in maintenance")) ==
        Error{Code::refused, "beta: in maintenance"});
  CHECK(told(problem(507, "full", "0.5 cores are free")).code == Code::full);
  CHECK(told(problem(503, "busy", "later")).code == Code::busy);
  CHECK(told(problem(503, "unreachable", "libvirt is away")).code == Code::unreachable);
  CHECK(told(problem(400, "invalid", "cpus is missing")).code == Code::invalid);
  CHECK(told(problem(404, "not_found", "no such operation")).code == Code::not_found);
  CHECK(told(problem(401, "unauthorized", "a token is needed")) ==
        Error{Code::refused, "beta: the daemon there does not take our token: a token is needed"});
  CHECK(told(problem(403, "no_such_code", "who are you")).code == Code::refused);
  CHECK(told(problem(421, "misdirected", "add it to api.allowed_hosts")).code == Code::refused);
  CHECK(told(problem(500, "failed", "oops")).code == Code::failed);
  // A daemon that ends: no word about what we asked, and not our own cancellation.
  CHECK(told(problem(503, "cancelled", "shutting down")).code == Code::unreachable);
}

TEST_CASE("a refusal without a problem body is known by its status") {
  Pair pair;
  const std::vector<std::pair<unsigned, Code>> expected{
      {400, Code::invalid},     {401, Code::refused}, {403, Code::refused}, {404, Code::not_found},
      {408, Code::timeout},     {413, Code::invalid}, {429, Code::busy},    {500, Code::failed},
      {501, Code::unsupported}, {502, Code::failed},  {503, Code::busy},    {504, Code::timeout},
      {507, Code::full},        {999, Code::failed}};
  for (const auto& [status, code] : expected) {
    for (const char* body : {"", "nonsense", "[]", R"({"code":7,"detail":{}})"}) {
      INFO(status << " " << body);
      pair.daemon.script = [&](const Asked&) { return reply(status, body); };
      CHECK(pair.failure().code == code);
    }
  }
}

TEST_CASE("a redirect is not followed") {
  Pair pair;
  for (const unsigned status : {301U, 302U, 307U, 308U}) {
    pair.daemon.script = [&](const Asked&) {
      return reply(status, "", "Location: " + pair.daemon.url() + "/elsewhere\r\n");
    };
    CHECK(pair.failure().code == Code::failed);
  }
  CHECK(pair.daemon.asked.size() == 4);
}

TEST_CASE("hostile words of a daemon reach nobody's terminal") {
  Pair pair;
  pair.daemon.script = [](const Asked&) {
    return problem(403, "refused", R"(\u001b[2Jgone\n)" + std::string(5000, 'x'));
  };
  const auto error = pair.failure();
  CHECK(error.message.find('\x1b') == std::string::npos);
  CHECK(error.message.find('\n') == std::string::npos);
  CHECK(error.message.size() < 1100);
}

TEST_CASE("what is not UTF-8 in a definition is refused before it is sent") {
  Pair pair;
  auto order = wire::Worlds(1).reserveOrder();
  order.live_xml = "<domain>\xFF</domain>";
  const auto answer = pair.get(pair.peer().reserve(order));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::invalid);
  CHECK(pair.daemon.asked.empty());
}

TEST_CASE("questions are asked side by side: a slow one holds up no other") {
  Pair pair(Millis(5000));
  const std::string answer = wire::json(wire::Worlds(1).remoteVm()).dump();
  pair.daemon.script = [&](const Asked& asked) -> std::optional<std::string> {
    if (asked.line().find("release") != std::string::npos) return std::nullopt;
    return reply(200, answer);
  };
  TaskGroup slow(pair.io.get_executor(), [](const std::string&, const std::string&) {});
  bool slow_ended = false;
  slow.spawn("release", [](act::Peer* peer, bool* ended) -> asio::awaitable<void> {
    (void)co_await peer->release("op-1");
    *ended = true;
  }(&pair.peer(), &slow_ended));

  CHECK(pair.get(pair.peer().vm(pair.vm)));

  CHECK_FALSE(slow_ended);
  slow.cancel();
  CHECK(until(pair.io, [&] { return slow.size() == 0; }));
}

TEST_CASE("libvirt's port answers by taking a connection or by refusing it") {
  Pair pair;
  CHECK(pair.get(pair.peer().libvirtAnswers()));
  const auto answers = [&](const std::string& uri) {
    PeerOptions options;
    options.name = "beta", options.url = pair.daemon.url(), options.migration_uri = uri;
    pair.peers = std::make_unique<HttpPeers>(pair.io.get_executor(), pair.clock,
                                             std::vector<PeerOptions>{options});
    return pair.get(pair.peer().libvirtAnswers());
  };
  CHECK(answers("qemu+tcp://127.0.0.1:" + deadPort() + "/system"));
  CHECK_FALSE(answers("qemu+tcp://" + kNoName + "/system"));
  CHECK_FALSE(answers("qemu:///system"));
}

TEST_CASE("an address that is silent, or where nobody is, leaves time for the one after it") {
  Pair pair;
  const SilentPort silent;
  const auto live = loopback(pair.daemon.port()), dead = loopback(deadPort());
  const auto ask = [&](Endpoints endpoints, Millis deadline) {
    return pair.get(exchange(std::move(endpoints), Address{"beta", "8470"},
                             {.target = "/api/v1/host", .body = {}, .token = {}},
                             std::chrono::steady_clock::now() + deadline));
  };
  SECTION("the next one takes the connection") {
    for (const auto& first : {silent.endpoint(), dead}) {
      const auto answer = ask({first, live}, Millis(2000));
      REQUIRE(answer);
      CHECK(answer->status == 200);
      CHECK(pair.daemon.asked.back().header("Host") == "beta:8470");
    }
  }
  SECTION("none does") {
    const auto begun = std::chrono::steady_clock::now();
    const auto unheard = ask({silent.endpoint(), silent.endpoint()}, Millis(100));
    REQUIRE_FALSE(unheard);
    CHECK(unheard.error() == Error{Code::timeout, "no connection in time"});
    const auto refused = ask({silent.endpoint(), dead}, Millis(100));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::unreachable);
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(2));
  }
  SECTION("the one that does is silent afterwards, as long as there is time") {
    pair.daemon.script = [](const Asked&) { return std::nullopt; };
    const auto answer = ask({dead, live}, Millis(100));
    REQUIRE_FALSE(answer);
    CHECK(answer.error() == Error{Code::timeout, "no answer in time"});
  }
}
