#include "agent/traffic.h"

#include <arpa/inet.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "agent/look_pace.h"
#include "agent/services.h"

namespace virtseer::agent {
namespace {

Address ip(const std::string& text) {
  Address address;
  const bool four = text.find(':') == text.npos;
  if (four) address = anyIpv4();
  REQUIRE(::inet_pton(four ? AF_INET : AF_INET6, text.c_str(),
                      address.bytes.data() + (four ? 12 : 0)) == 1);
  return address;
}

TcpSocket listener(const std::string& address, std::uint16_t port, std::uint32_t queue = 0,
                   std::uint32_t limit = 128) {
  TcpSocket socket;
  socket.state = TcpState::listen;
  socket.local = ip(address);
  socket.local_port = port;
  socket.receive_queue = queue;
  socket.send_queue = limit;
  return socket;
}

TcpSocket connection(std::uint64_t cookie, std::uint16_t local_port, const std::string& remote,
                     std::uint16_t remote_port) {
  TcpSocket socket;
  socket.cookie = cookie;
  socket.local = ip(remote.find(':') == remote.npos ? "192.0.2.1" : "2001:db8::1");
  socket.remote = ip(remote);
  socket.local_port = local_port;
  socket.remote_port = remote_port;
  socket.rtt_us = 1000;
  return socket;
}

TcpSocket carried(TcpSocket socket, std::uint64_t sent, std::uint64_t received,
                  std::uint32_t segments = 0, std::uint32_t retransmits = 0) {
  socket.sent_bytes = sent;
  socket.received_bytes = received;
  socket.segments = segments;
  socket.retransmits = retransmits;
  return socket;
}

void look(Traffic& traffic, std::int64_t now_ms, const std::vector<TcpSocket>& sockets) {
  traffic.begin(now_ms);
  bool whole = true;
  for (const TcpSocket& socket : sockets) whole = whole && traffic.add(socket);
  traffic.end(whole);
}

/// A table's rows, the cells as text.
using Rows = std::vector<std::map<std::string, std::string>>;

Rows rowsOf(const Traffic& traffic, const std::string& name, std::size_t top = 10) {
  ReportBuilder report;
  traffic.tell(report, top);
  report.finish();
  for (const echo::Table& table : report.report().tables) {
    if (table.name != name) continue;
    Rows rows(table.rows());
    for (std::size_t i = 0; i < table.cells.size(); ++i) {
      const echo::Cell& cell = table.cells[i];
      std::string text = "absent";
      if (const auto* number = std::get_if<double>(&cell)) text = Catch::Detail::stringify(*number);
      if (const auto* string = std::get_if<std::string>(&cell)) text = *string;
      rows[i / table.columns.size()][table.columns[i % table.columns.size()]] = text;
    }
    return rows;
  }
  FAIL("no table " + name);
  return {};
}

std::string number(double value) {
  return Catch::Detail::stringify(value);
}

TEST_CASE("connections are counted by state, those within the guest apart") {
  Traffic traffic;
  TcpSocket closing = connection(3, 40000, "198.51.100.7", 443);
  closing.state = TcpState::close_wait;
  TcpSocket within = connection(4, 40001, "127.0.0.1", 5432);
  TcpSocket own_address = connection(5, 40002, "192.0.2.1", 5432);
  look(traffic, 0,
       {listener("0.0.0.0", 22), connection(1, 22, "198.51.100.7", 50000),
        connection(2, 22, "2001:db8::9", 50000), closing, within, own_address});
  const auto count = [&](Scope scope, TcpState state) {
    return traffic.summary(scope).connections[static_cast<std::size_t>(state)];
  };
  CHECK(count(Scope::remote, TcpState::established) == 2);
  CHECK(count(Scope::remote, TcpState::close_wait) == 1);
  CHECK(count(Scope::loopback, TcpState::established) == 2);
  CHECK(traffic.listeners() == 1);
}

TEST_CASE("round-trip times are those of established connections, with median, p95 and most") {
  Traffic traffic;
  std::vector<TcpSocket> sockets;
  for (std::uint32_t i = 1; i <= 101; ++i) {
    sockets.push_back(connection(i, 40000, "198.51.100.7", 443));
    sockets.back().rtt_us = i * 1000;
  }
  sockets.push_back(connection(200, 40000, "198.51.100.7", 443));
  sockets.back().rtt_us = 0;
  sockets.push_back(connection(201, 40000, "198.51.100.7", 443));
  sockets.back().rtt_us = 9'000'000;
  sockets.back().state = TcpState::fin_wait1;
  look(traffic, 0, sockets);
  const auto& summary = traffic.summary(Scope::remote);
  CHECK(summary.median_rtt == 0.051);
  CHECK(summary.p95_rtt == 0.096);
  CHECK(summary.max_rtt == 0.101);
  CHECK_FALSE(traffic.summary(Scope::loopback).median_rtt);
}

TEST_CASE("loss is what was repeated of the segments sent since the look before") {
  Traffic traffic;
  const TcpSocket socket = connection(1, 40000, "198.51.100.7", 443);
  look(traffic, 0, {carried(socket, 0, 0, 1000, 500)});
  CHECK_FALSE(traffic.summary(Scope::remote).loss_ratio);
  look(traffic, 5000, {carried(socket, 0, 0, 1100, 502)});
  CHECK(traffic.summary(Scope::remote).loss_ratio == 0.02);
  look(traffic, 10000, {carried(socket, 0, 0, 1100, 502)});
  CHECK_FALSE(traffic.summary(Scope::remote).loss_ratio);
}

TEST_CASE("peers are told by service and direction, the busiest first") {
  Traffic traffic;
  const TcpSocket web = listener("0.0.0.0", 8080);
  const TcpSocket client = connection(1, 8080, "198.51.100.7", 50000),
                  second = connection(2, 8080, "198.51.100.7", 50001),
                  database = connection(3, 40000, "198.51.100.8", 5432);
  look(traffic, 0, {web, client, database});
  CHECK(rowsOf(traffic, "peers")[0].at("bytes_sent_per_second") == "absent");
  CHECK(rowsOf(traffic, "peers")[0].at("retransmits") == "absent");
  look(traffic, 5000,
       {web, carried(client, 500, 50), carried(second, 1000, 100, 20, 3),
        carried(database, 10, 50000)});
  const Rows rows = rowsOf(traffic, "peers");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].at("address") == "198.51.100.8");
  CHECK(rows[0].at("port") == number(5432));
  CHECK(rows[0].at("direction") == "out");
  CHECK(rows[0].at("bytes_received_per_second") == number(10000));
  CHECK(rows[1] == std::map<std::string, std::string>{{"address", "198.51.100.7"},
                                                      {"port", number(8080)},
                                                      {"direction", "in"},
                                                      {"protocol", "tcp"},
                                                      {"connections", number(2)},
                                                      {"bytes_sent_per_second", number(300)},
                                                      {"bytes_received_per_second", number(30)},
                                                      {"rtt_seconds", number(0.001)},
                                                      {"retransmits", number(3)}});
  CHECK(rowsOf(traffic, "peers", 1).size() == 1);
}

TEST_CASE("a connection whose listener is gone still counts as one to a known service") {
  Traffic traffic;
  look(traffic, 0, {connection(1, 22, "198.51.100.7", 50000)});
  CHECK(rowsOf(traffic, "peers")[0].at("direction") == "in");
  CHECK(rowsOf(traffic, "peers")[0].at("port") == number(22));
}

TEST_CASE("traffic within the guest is no peer's and counts once, where its service is") {
  Traffic traffic;
  const TcpSocket postgres = listener("127.0.0.1", 5432);
  TcpSocket server = connection(1, 5432, "127.0.0.1", 40000),
            client = connection(2, 40000, "127.0.0.1", 5432);
  server.local = client.local = ip("127.0.0.1");
  look(traffic, 0, {postgres, server, client});
  look(traffic, 10000, {postgres, carried(server, 1000, 200), carried(client, 200, 1000)});
  CHECK(rowsOf(traffic, "peers").empty());
  const Rows rows = rowsOf(traffic, "protocols");
  REQUIRE(rows.size() == 1);
  CHECK(rows[0] == std::map<std::string, std::string>{{"service", "postgresql"},
                                                      {"port", number(5432)},
                                                      {"scope", "loopback"},
                                                      {"connections", number(1)},
                                                      {"bytes_sent_per_second", number(100)},
                                                      {"bytes_received_per_second", number(20)},
                                                      {"share_ratio", number(1)}});
}

TEST_CASE("traffic is shared out among services, what is not known as other") {
  Traffic traffic;
  const TcpSocket https = connection(1, 40000, "198.51.100.7", 443),
                  odd = connection(2, 40001, "198.51.100.7", 33333),
                  odder = connection(3, 40002, "198.51.100.7", 33334);
  look(traffic, 0, {https, odd, odder});
  look(traffic, 1000, {carried(https, 50, 700), carried(odd, 100, 50), carried(odder, 50, 50)});
  const Rows rows = rowsOf(traffic, "protocols");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].at("service") == "https");
  CHECK(rows[0].at("share_ratio") == number(0.75));
  CHECK(rows[1].at("service") == "other");
  CHECK(rows[1].at("port") == "absent");
  CHECK(rows[1].at("connections") == number(2));
  CHECK(rows[1].at("share_ratio") == number(0.25));
}

TEST_CASE("listeners are told with their queues, those of one place as one") {
  Traffic traffic;
  look(traffic, 0,
       {listener("::", 80, 2, 100), listener("::", 80, 3, 100), listener("127.0.0.1", 5432),
        connection(1, 80, "2001:db8::9", 50000), connection(2, 80, "198.51.100.7", 50000)});
  const Rows rows = rowsOf(traffic, "listeners");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == std::map<std::string, std::string>{{"port", number(80)},
                                                      {"address", "::"},
                                                      {"protocol", "tcp"},
                                                      {"accept_queue", number(5)},
                                                      {"accept_queue_limit", number(200)},
                                                      {"connections", number(2)}});
  CHECK(rows[1].at("address") == "127.0.0.1");
}

TEST_CASE(
    "a connection opened since the look before counts whole, one that was left out does not") {
  Traffic traffic;
  const TcpSocket fresh = carried(connection(7, 40000, "198.51.100.7", 443), 5000, 0);
  look(traffic, 0, {});
  look(traffic, 1000, {fresh});
  CHECK(rowsOf(traffic, "peers")[0].at("bytes_sent_per_second") == number(5000));

  Traffic other;
  std::vector<TcpSocket> many;
  for (std::uint64_t i = 0; i <= Traffic::kMaxSockets; ++i)
    many.push_back(connection(100 + i, 40000, "198.51.100.9", 443));
  look(other, 0, many);
  CHECK_FALSE(other.whole());
  look(other, 1000, {fresh});
  CHECK(rowsOf(other, "peers")[0].at("bytes_sent_per_second") == number(0));
  CHECK(other.whole());
}

TEST_CASE("counters that fall count as no traffic") {
  Traffic traffic;
  const TcpSocket socket = connection(1, 40000, "198.51.100.7", 443);
  look(traffic, 0, {carried(socket, 1000, 1000, 10, 5)});
  look(traffic, 1000, {carried(socket, 0, 0, 20, 4)});
  CHECK(rowsOf(traffic, "peers")[0].at("bytes_sent_per_second") == number(0));
  CHECK(traffic.summary(Scope::remote).loss_ratio == 0);
}

TEST_CASE("a flood of peers, ports and listeners stays bounded") {
  Traffic traffic;
  for (std::int64_t now = 0; now < 3; ++now) {
    std::vector<TcpSocket> sockets;
    for (std::uint32_t i = 0; i < 400; ++i)
      sockets.push_back(
          listener("10.0.0." + std::to_string(i % 250), static_cast<std::uint16_t>(1000 + i)));
    for (std::uint32_t i = 0; i < 5000; ++i)
      sockets.push_back(connection(
          i + 1, 40000, "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250),
          static_cast<std::uint16_t>(20000 + i)));
    look(traffic, now * 1000, sockets);
  }
  CHECK_FALSE(traffic.whole());
  CHECK(rowsOf(traffic, "peers", 64).size() == 64);
  const Rows services = rowsOf(traffic, "protocols");
  CHECK(services.size() <= 18);
  CHECK(rowsOf(traffic, "listeners").size() == 64);
}

TEST_CASE("looks that are dear come seldom, and again each round once they are cheap") {
  LookPace pace;
  CHECK(pace.due());
  pace.took(100);
  CHECK(pace.due());
  const auto pause = [&](double microseconds) {
    pace.took(microseconds);
    int rounds = 1;
    while (!pace.due()) ++rounds;
    return rounds;
  };
  CHECK(pause(201) == 3);
  CHECK(pause(1000) == 5);
  CHECK(pause(1e9) == 12);
  CHECK(pause(200) == 1);
  pace.failed();
  int rounds = 1;
  while (!pace.due()) ++rounds;
  CHECK(rounds == 12);
}

TEST_CASE("services are known by their ports") {
  CHECK(serviceName(22) == "ssh");
  CHECK(serviceName(5432) == "postgresql");
  CHECK(serviceName(50051) == "grpc");
  CHECK(serviceName(1).empty());
  CHECK(serviceName(65535).empty());
}

}  // namespace
}  // namespace virtseer::agent
