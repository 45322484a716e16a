#include "fleet/peers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "unit/fleet/scripted_daemon.h"
#include "unit/wire/worlds.h"
#include "wire/wire.h"

using namespace virtseer;
using namespace virtseer::fleet;
using namespace std::chrono_literals;

namespace {

/// Three peers: two whose daemons are scripted and one where nobody is.
struct Fleet {
  Fleet() {
    alpha_state.host.name = "alpha-host", beta_state.host.name = "beta-host";
    script(alpha, alpha_state), script(beta, beta_state);
    const auto options = [](const std::string& name, const std::string& url) {
      PeerOptions out;
      out.name = name, out.url = url, out.token = "a-secret-of-32-characters-0123456";
      out.deadline = Millis(2000);
      return out;
    };
    peers = std::make_unique<HttpPeers>(
        io.get_executor(), clock,
        std::vector{options("alpha", alpha.url()), options("beta", beta.url()),
                    options("gamma", "http://127.0.0.1:" + deadPort())});
  }
  ~Fleet() {
    tasks.cancel();
    asio::co_spawn(io, stop(), [](std::exception_ptr) {});
    io.restart();
    io.run_for(5s);
  }
  asio::awaitable<void> stop() {
    co_await tasks.join();
    co_await alpha.stop();
    co_await beta.stop();
  }
  static void script(ScriptedDaemon& daemon, const FleetState& state) {
    daemon.script = [body = wire::json(state).dump()](const Asked&) { return reply(200, body); };
  }
  void run(Millis interval = 20ms) { tasks.spawn("run", peers->run(interval)); }
  PeerState state(std::size_t index) const { return peers->states().at(index); }
  bool answered() {
    return until(io, [&] {
      return state(0).answers && state(1).answers && state(2).error != "not asked yet";
    });
  }

  asio::io_context io{1};
  ManualClock clock{*parseRfc3339("2026-01-31T08:00:00Z")};
  ScriptedDaemon alpha{io}, beta{io};
  FleetState alpha_state = wire::Worlds(1).fleetState(), beta_state = wire::Worlds(2).fleetState();
  std::unique_ptr<HttpPeers> peers;
  TaskGroup tasks{io.get_executor(),
                  [](const std::string&, const std::string& what) { FAIL_CHECK(what); }};
};

/// A clock that may fail.
struct FaultyClock final : Clock {
  Timestamp wall() const override {
    if (broken) throw std::runtime_error("no time");
    return Timestamp{};
  }
  std::chrono::steady_clock::time_point mono() const override { return {}; }
  bool broken = false;
};

}  // namespace

TEST_CASE("every peer's state is kept; a peer that does not answer says why") {
  Fleet fleet;
  CHECK(fleet.state(0).error == "not asked yet");
  CHECK_FALSE(fleet.peers->all()[0]->host());

  fleet.run();

  REQUIRE(fleet.answered());
  CHECK(fleet.alpha.asked.front().line() == "GET /api/v1/fleet/state HTTP/1.1");
  CHECK(fleet.state(0).host == fleet.alpha_state.host.uuid);
  CHECK(fleet.state(0).heard == fleet.clock.wall());
  CHECK(fleet.state(0).state->host.answers);
  CHECK(fleet.peers->all()[1]->host() == fleet.beta_state.host.uuid);
  CHECK_FALSE(fleet.state(2).answers);
  CHECK(fleet.state(2).error == "gamma: the connection was refused: is the daemon there running?");
  CHECK_FALSE(fleet.state(2).state);
}

TEST_CASE("a peer's times are moved to our clock, whatever its own says") {
  Fleet fleet;
  auto told = fleet.alpha_state;
  told.now = *parseRfc3339("2031-05-05T05:05:05Z");  // its clock is years ahead
  told.host.as_of = told.now - 3s;
  told.scenarios.start = told.now + 1s;
  wire::Worlds worlds(3);
  told.host.reservations = {worlds.reservation()};
  told.host.reservations[0].expires = told.now + 60s;
  told.host.vms = {worlds.placedVm()};
  told.host.vms[0].moves = {worlds.pastMove()};
  told.host.vms[0].moves[0].started = told.now - 20s,
  told.host.vms[0].moves[0].ended = told.now - 9s;
  Fleet::script(fleet.alpha, told);

  fleet.run();

  REQUIRE(fleet.answered());
  const auto seen = *fleet.state(0).state;
  const auto now = fleet.clock.wall();
  CHECK(seen.now == now);
  CHECK(seen.host.as_of == now - 3s);
  CHECK(seen.scenarios.start == now + 1s);
  CHECK(seen.host.reservations[0].expires == now + 60s);
  CHECK(seen.host.vms[0].moves[0].started == now - 20s);
  CHECK(seen.host.vms[0].moves[0].ended == now - 9s);
}

TEST_CASE("a peer that falls silent keeps what it said last, marked as not answering") {
  Fleet fleet;
  fleet.run();
  REQUIRE(fleet.answered());
  const auto heard = fleet.clock.wall();
  fleet.alpha.script = [](const Asked&) { return problem(503, "busy", "later"); };
  REQUIRE(until(fleet.io, [&] { return !fleet.state(0).answers; }));

  fleet.clock.advance(1min);
  const auto asked = fleet.alpha.asked.size();
  REQUIRE(until(fleet.io, [&] { return fleet.alpha.asked.size() >= asked + 2; }));

  CHECK(fleet.state(0).heard == heard);
  CHECK(fleet.state(0).state->host.name == "alpha-host");
  CHECK_FALSE(fleet.state(0).state->host.answers);
  CHECK(fleet.state(0).host == fleet.alpha_state.host.uuid);
  CHECK(fleet.state(0).error == "alpha: later");

  Fleet::script(fleet.alpha, fleet.alpha_state);
  REQUIRE(until(fleet.io, [&] { return fleet.state(0).answers; }));
  CHECK(fleet.state(0).error.empty());
  CHECK(fleet.state(0).heard == fleet.clock.wall());
}

TEST_CASE("a question that ends by an exception is one failure, and the next one is asked") {
  FaultyClock clock;
  Fleet fleet;
  PeerOptions options;
  options.name = "alpha", options.url = fleet.alpha.url();
  fleet.peers = std::make_unique<HttpPeers>(fleet.io.get_executor(), clock, std::vector{options});
  fleet.run();
  REQUIRE(until(fleet.io, [&] { return fleet.state(0).answers; }));

  clock.broken = true;
  REQUIRE(until(fleet.io, [&] { return !fleet.state(0).answers; }));
  CHECK(fleet.state(0).error == "alpha: a fault of virtseer itself: no time");
  CHECK_FALSE(fleet.state(0).state->host.answers);

  clock.broken = false;
  CHECK(until(fleet.io, [&] { return fleet.state(0).answers; }));
  CHECK(fleet.state(0).error.empty());
}

TEST_CASE("a silent peer does not hold up what the others say") {
  Fleet fleet;
  fleet.alpha.script = [](const Asked&) { return std::nullopt; };
  fleet.run(5ms);
  REQUIRE(until(fleet.io, [&] { return fleet.beta.asked.size() >= 5; }));
  CHECK(fleet.alpha.asked.size() == 1);
}

TEST_CASE("a hostile state is not taken, and named") {
  Fleet fleet;
  auto body = wire::json(fleet.alpha_state);
  body["host"]["capacity"]["cpus"] = -4;
  fleet.alpha.script = [text = body.dump()](const Asked&) { return reply(200, text); };
  fleet.run();
  REQUIRE(until(fleet.io, [&] { return fleet.alpha.asked.size() >= 2; }));
  CHECK_FALSE(fleet.state(0).answers);
  CHECK(fleet.state(0).error ==
        "alpha: the answer is not understood: host.capacity.cpus must be a number that is not "
        "negative");
}

TEST_CASE("cancelling ends every question at once") {
  Fleet fleet;
  fleet.alpha.script = [](const Asked&) { return std::nullopt; };
  fleet.run();
  REQUIRE(until(fleet.io, [&] { return fleet.alpha.asked.size() == 1; }));
  const auto begun = std::chrono::steady_clock::now();
  fleet.tasks.cancel();
  REQUIRE(until(fleet.io, [&] { return fleet.tasks.size() == 0; }));
  CHECK(std::chrono::steady_clock::now() - begun < 1s);  // of the deadline of 2 s
}

TEST_CASE("a peer is found by its name, by its host's name and by its UUID") {
  Fleet fleet;
  const auto& uuid = fleet.alpha_state.host.uuid;
  CHECK((*fleet.peers->find("beta"))->name() == "beta");
  const auto early = fleet.peers->find(uuid.text());
  REQUIRE_FALSE(early);
  CHECK(early.error().code == Code::unreachable);  // it may be any of them

  fleet.run();
  REQUIRE(fleet.answered());

  CHECK((*fleet.peers->find(uuid.text()))->name() == "alpha");
  CHECK((*fleet.peers->find("alpha-host"))->name() == "alpha");
  const auto unknown = fleet.peers->find("delta\n");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error() ==
        Error{Code::not_found, "no peer is called delta\\x0a; there are: alpha, beta, gamma"});
}

TEST_CASE("two peers that say that they are the same host are neither") {
  Fleet fleet;
  fleet.beta_state.host.uuid = fleet.alpha_state.host.uuid;
  Fleet::script(fleet.beta, fleet.beta_state);
  fleet.run();
  REQUIRE(fleet.answered());
  const auto found = fleet.peers->find(fleet.alpha_state.host.uuid.text());
  REQUIRE_FALSE(found);
  CHECK(found.error().code == Code::refused);
  CHECK((*fleet.peers->find("beta"))->name() == "beta");
}

TEST_CASE("maintenance is set on the host that the peer said it is") {
  Fleet fleet;
  fleet.run();
  REQUIRE(fleet.answered());
  fleet.alpha.script = [](const Asked&) { return reply(200, "{}"); };
  CHECK(complete(fleet.io, fleet.peers->all()[0]->setMaintenance(false)));
  const auto is_order = [](const Asked& asked) { return asked.line().starts_with("POST"); };
  const auto order = std::ranges::find_if(fleet.alpha.asked, is_order);
  REQUIRE(order != fleet.alpha.asked.end());
  CHECK(order->line() ==
        "POST /api/v1/hosts/" + fleet.alpha_state.host.uuid.text() + "/maintenance HTTP/1.1");
  CHECK(order->body == R"({"on":false})");
}

TEST_CASE("an IPv6 address is asked at its brackets") {
  asio::io_context io{1};
  boost::system::error_code no_v6;
  asio::ip::tcp::socket probe(io);
  probe.open(asio::ip::tcp::v6(), no_v6);
  if (!no_v6) probe.bind({asio::ip::address_v6::loopback(), 0}, no_v6);
  if (no_v6) {
    WARN("this machine has no IPv6 loopback");
    return;
  }
  ScriptedDaemon daemon(io, true);
  ManualClock clock(Timestamp{});
  PeerOptions options;
  options.name = "beta", options.url = "http://[::1]:" + daemon.port();
  HttpPeers peers(io.get_executor(), clock, {options});
  CHECK(complete(io, peers.all()[0]->release("op-1")));
  REQUIRE(daemon.asked.size() == 1);
  CHECK(daemon.asked[0].header("Host") == "[::1]:" + daemon.port());
  CHECK(daemon.asked[0].header("Authorization").empty());
  asio::co_spawn(io, daemon.stop(), [](std::exception_ptr) {});
  io.restart();
  io.run_for(5s);
}
