#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "agent/file.h"
#include "agent/socket_dump.h"
#include "agent/source.h"
#include "agent/traffic.h"
#include "tree.h"

/// The kernel's answers about real connections of this process on loopback.
namespace virtseer::agent {
namespace {

/// An address of loopback of its own keeps apart what other programs of this machine have open.
constexpr const char* kAddress = "127.83.19.7";

struct Server {
  Descriptor fd;
  std::uint16_t port = 0;

  explicit Server(int backlog) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    REQUIRE(::inet_pton(AF_INET, kAddress, &address.sin_addr) == 1);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd.get(), backlog) == 0);
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
  }

  Descriptor connect() const {
    Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, kAddress, &address.sin_addr);
    REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return client;
  }
  Descriptor accept() const {
    Descriptor accepted(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(accepted);
    return accepted;
  }
};

/// Sends and waits until the other end has taken all of it.
void carry(const Descriptor& from, const Descriptor& to, std::size_t bytes) {
  const std::string data(bytes, 'x');
  REQUIRE(::send(from.get(), data.data(), data.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes));
  std::string taken(bytes, '\0');
  REQUIRE(::recv(to.get(), taken.data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes));
}

std::vector<TcpSocket> dumped() {
  SocketDump dump;
  Scratch buffer;
  const auto begun = dump.begin(buffer);
  INFO((begun ? "" : begun.error()));
  REQUIRE(begun);
  std::vector<TcpSocket> sockets;
  TcpSocket socket;
  while (dump.next(socket)) sockets.push_back(socket);
  INFO(dump.error());
  REQUIRE(dump.error().empty());
  return sockets;
}

using Cells = std::map<std::string, echo::Cell>;

/// The row of the listener or service of this port.
Cells rowOf(const echo::Report& report, const std::string& name, std::uint16_t port) {
  for (const echo::Table& table : report.tables) {
    if (table.name != name) continue;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      Cells cells;
      for (std::size_t i = 0; i < table.columns.size(); ++i)
        cells[table.columns[i]] = table.cells[row * table.columns.size() + i];
      if (cells.at("port") == echo::Cell(static_cast<double>(port))) return cells;
    }
  }
  return {};
}

TEST_CASE("the kernel tells both ends of every connection with the bytes that they carried") {
  const Server server(8);
  std::vector<Descriptor> clients, accepted;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(server.connect());
    accepted.push_back(server.accept());
  }
  carry(clients[0], accepted[0], 12345);
  carry(accepted[0], clients[0], 777);
  std::size_t client_ends = 0, server_ends = 0, listeners = 0;
  std::uint64_t sent = 0, received = 0;
  for (const TcpSocket& socket : dumped()) {
    if (socket.state == TcpState::listen) {
      listeners += socket.local_port == server.port;
    } else if (socket.local_port == server.port && socket.local.text() == kAddress) {
      ++server_ends;
      CHECK(socket.isLocal());
      CHECK(socket.state == TcpState::established);
      CHECK(socket.cookie != 0);
      sent += socket.sent_bytes;
      received += socket.received_bytes;
    } else if (socket.remote_port == server.port && socket.remote.text() == kAddress) {
      ++client_ends;
      CHECK(socket.rtt_us > 0);
    }
  }
  CHECK(listeners == 1);
  CHECK(client_ends == 3);
  CHECK(server_ends == 3);
  CHECK(sent == 777);
  CHECK(received == 12345);
}

TEST_CASE("sockets of both families come in one dump") {
  const Descriptor six(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  socklen_t size = sizeof address;
  if (::bind(six.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    WARN("this machine has no IPv6");
    return;
  }
  REQUIRE(::listen(six.get(), 4) == 0);
  REQUIRE(::getsockname(six.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  std::size_t found = 0;
  for (const TcpSocket& socket : dumped())
    found += socket.local_port == ntohs(address.sin6_port) && socket.local.text() == "::1";
  CHECK(found == 1);
}

TEST_CASE("a listener's queue holds what was not accepted yet") {
  const Server server(16);
  std::vector<Descriptor> clients, accepted;
  for (int i = 0; i < 5; ++i) clients.push_back(server.connect());
  for (int i = 0; i < 2; ++i) accepted.push_back(server.accept());
  const Tree none;
  auto source = makeSocketSource();
  REQUIRE(source->open(""));
  Columns columns;
  Row row;
  Scratch scratch;
  ReportBuilder report;
  Round round{columns, row, scratch, report, 1000};
  source->read(round);
  report.finish();
  Cells listener = rowOf(report.report(), "listeners", server.port);
  CHECK(listener["address"] == echo::Cell(std::string(kAddress)));
  CHECK(listener["accept_queue"] == echo::Cell(3.0));
  CHECK(listener["accept_queue_limit"] == echo::Cell(16.0));
  CHECK(listener["connections"] == echo::Cell(5.0));
}

TEST_CASE("bytes between two looks become rates, and connections of the guest its loopback's") {
  const Server server(8);
  Descriptor client = server.connect(), accepted = server.accept();
  carry(client, accepted, 5000);
  Traffic traffic;
  const auto look = [&](std::int64_t now_ms) {
    traffic.begin(now_ms);
    // The service of a port without a name would be one of `other`: look at the server's ends
    // alone.
    for (TcpSocket socket : dumped()) {
      if (socket.local_port == server.port) socket.local_port = 5432;
      if (socket.remote_port == server.port) socket.remote_port = 5432;
      if (socket.local.text() == kAddress || socket.remote.text() == kAddress)
        REQUIRE(traffic.add(socket));
    }
    traffic.end(true);
  };
  look(1000);
  carry(client, accepted, 20'000);
  carry(accepted, client, 4000);
  look(3000);
  ReportBuilder report;
  traffic.tell(report, 10);
  report.finish();
  Cells service = rowOf(report.report(), "protocols", 5432);
  CHECK(service["scope"] == echo::Cell(std::string("loopback")));
  CHECK(service["bytes_sent_per_second"] == echo::Cell(2000.0));
  CHECK(service["bytes_received_per_second"] == echo::Cell(10'000.0));
  CHECK(traffic.summary(Scope::loopback).median_rtt > 0);
  CHECK(traffic.summary(Scope::loopback).loss_ratio == 0);
}

TEST_CASE("a dump that is given up leaves nothing behind for the next") {
  const Server server(8);
  std::vector<Descriptor> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(server.connect());
  SocketDump dump;
  Scratch buffer;
  TcpSocket socket;
  REQUIRE(dump.begin(buffer));
  REQUIRE(dump.next(socket));
  dump.close();
  CHECK_FALSE(dump.next(socket));
  REQUIRE(dump.begin(buffer));
  std::size_t ends = 0;
  while (dump.next(socket))
    ends += socket.state == TcpState::established &&
            (socket.local_port == server.port || socket.remote_port == server.port);
  CHECK(dump.error().empty());
  CHECK(ends == 16);
}

TEST_CASE(
    "values of the last look stand until the next, and end where the source is switched off") {
  const Server server(8);
  Descriptor client = server.connect(), accepted = server.accept();
  auto source = makeSocketSource();
  REQUIRE(source->open(""));
  Columns columns;
  Scratch scratch;
  ReportBuilder report;
  const auto read = [&](std::int64_t now_ms) {
    Row row;
    Round round{columns, row, scratch, report, now_ms};
    source->read(round);
    std::map<std::string, double> told;
    const auto values = row.values(columns.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] == values[i]) told[keyOf(columns.names()[i])] = values[i];
    return told;
  };
  const std::string established = "guest_tcp_connections{scope=loopback,state=established}";
  for (int round = 0; round < 5; ++round) {
    const auto told = read(round * 5000);
    CHECK(told.at(established) >= 2);
    CHECK(told.at("guest_tcp_listeners") >= 1);
    CHECK(told.contains("guest_tcp_rtt_seconds{probability=0.5,scope=loopback}"));
  }
  const std::size_t known = columns.size();
  source->select(false);
  source->select(true);
  CHECK(read(30'000).contains(established));
  CHECK(columns.size() == known);
}

TEST_CASE("connections of a recorded tree cannot be read, which the source says") {
  const Tree tree;
  const auto opened = makeSocketSource()->open(tree.root());
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == "the running system's connections alone can be read");
}

}  // namespace
}  // namespace virtseer::agent
