#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "agent/statsd_totals.h"
#include "tree.h"

namespace virtseer::agent {
namespace {

/// A program that sends to the socket below `tree`; its sends never wait.
class Sender {
 public:
  explicit Sender(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  bool send(std::string_view bytes) const {
    return ::send(fd_.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  }

 private:
  Descriptor fd_;
};

Config local() {
  Config config;
  config.statsd = "/s";
  return config;
}

Reading after(const std::vector<std::string>& datagrams) {
  StatsdTotals totals;
  for (const std::string& datagram : datagrams) totals.take(datagram);
  Columns columns;
  Row row;
  Scratch scratch;
  ReportBuilder report;
  Round round{columns, row, scratch, report};
  totals.tell(round);
  Reading reading;
  const auto values = row.values(columns.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] == values[i])
      REQUIRE(reading.emplace(keyOf(columns.names()[i]), values[i]).second);
  return reading;
}

TEST_CASE("counters add up, gauges stand, timers are counted, added up and the longest told") {
  CHECK(after({"web.hits:1|c\nweb.hits:2|c|@0.5\n", "queue:7|g", "queue:-2|g", "queue:+0.5|g",
               "db.query:320|ms\ndb.query:80|ms|@0.1|#host:a,b", "jobs_total:4|c|#x"}) ==
        Reading{{"guest_statsd_lines_total", 8},
                {"guest_statsd_dropped_total", 0},
                {"app_web_hits_total{protocol=statsd}", 5},
                {"app_queue{protocol=statsd}", 5.5},
                {"app_db_query_count_total{protocol=statsd}", 11},
                {"app_db_query_seconds_total{protocol=statsd}", 1.12},
                {"app_db_query_max_seconds{protocol=statsd}", 0.32},
                {"app_jobs_total{protocol=statsd}", 4}});
}

TEST_CASE("lines that are none are counted and change nothing") {
  const std::vector<std::string> wrong{"a",
                                       "a:",
                                       "a:1",
                                       "a:1|",
                                       "a:|c",
                                       ":1|c",
                                       "a:1|s",
                                       "a:1|h",
                                       "a:x|c",
                                       "a:1|c|@0",
                                       "a:1|c|@2",
                                       "a:1|c|@",
                                       "a:1|c|@nan",
                                       "a:1|c|0.1",
                                       "a:-1|c",
                                       "a:-1|ms",
                                       "a:1e300|c",
                                       "a:NaN|g",
                                       "a:1|c|@1e-300",
                                       "a:1:2|c",
                                       std::string(97, 'a') + ":1|c"};
  for (const std::string& line : wrong) {
    CAPTURE(line);
    CHECK(after({line}).at("guest_statsd_dropped_total") == 1);
  }
  CHECK(after({"\n\n"}) ==
        Reading{{"guest_statsd_lines_total", 0}, {"guest_statsd_dropped_total", 0}});
}

TEST_CASE("names cannot pose as others, and no two are told alike") {
  const Reading reading =
      after({"guest_up:1|g", "a{b=\"c\"}\x1b:1|c", "t:5|ms", "t.max-seconds:9|g", "n_total:3|g"});
  CHECK(reading.at("app_guest_up{protocol=statsd}") == 1);
  CHECK(reading.at("app_a_b__c____total{protocol=statsd}") == 1);
  CHECK(reading.at("app_t_max_seconds{protocol=statsd}") == 0.005);
  CHECK(reading.at("app_n_total_value{protocol=statsd}") == 3);
  CHECK(reading.at("guest_statsd_dropped_total") == 1);
}

TEST_CASE("there is room for two hundred names") {
  std::vector<std::string> datagrams;
  for (int i = 0; i < 300; ++i) datagrams.push_back("n" + std::to_string(i) + ":1|c");
  datagrams.push_back("n0:1|c");
  const Reading reading = after(datagrams);
  CHECK(reading.size() == StatsdTotals::kMaxNames + 2);
  CHECK(reading.at("guest_statsd_dropped_total") == 100);
  CHECK(reading.at("app_n0_total{protocol=statsd}") == 2);
}

TEST_CASE("what programs send is told with the next round, the longest time once") {
  Tree tree;
  Reader reader(makeStatsdSource(local()), tree);
  const Sender sender(tree.root() + "/s");
  REQUIRE(sender.send("a:1|c\nt:5|ms"));
  pollfd waiting{.fd = reader.source().eventFd(), .events = POLLIN, .revents = 0};
  CHECK(::poll(&waiting, 1, 0) == 1);
  reader.source().attend();
  CHECK(::poll(&waiting, 1, 0) == 0);
  REQUIRE(sender.send("a:1|c"));  // waits for the round itself
  const Reading first = reader.read();
  CHECK(first.at("app_a_total{protocol=statsd}") == 2);
  CHECK(first.at("app_t_max_seconds{protocol=statsd}") == 0.005);
  const Reading second = reader.read();
  CHECK(second.at("app_t_count_total{protocol=statsd}") == 1);
  CHECK_FALSE(second.contains("app_t_max_seconds{protocol=statsd}"));
}

TEST_CASE("a flood is taken so that nobody waits, and counted beyond what a round reads") {
  Tree tree;
  Reader reader(makeStatsdSource(local()), tree);
  const Sender sender(tree.root() + "/s");
  for (int i = 0; i < 12'000; ++i)
    while (!sender.send("a:1|c")) reader.source().attend();
  for (int i = 0; i < 200; ++i) reader.source().attend();
  const Reading reading = reader.read();
  CHECK(reading.at("app_a_total{protocol=statsd}") == 10'000);
  CHECK(reading.at("guest_statsd_dropped_total") == 2'000);
  REQUIRE(sender.send("a:1|c"));
  CHECK(reader.read().at("app_a_total{protocol=statsd}") == 10'001);
}

TEST_CASE("a datagram that is too large is dropped whole") {
  Tree tree;
  Reader reader(makeStatsdSource(local()), tree);
  const Sender sender(tree.root() + "/s");
  REQUIRE(sender.send("a:1|c\n" + std::string(8186, '\n')));
  REQUIRE(sender.send("a:1|c\n" + std::string(8187, '\n')));
  const Reading reading = reader.read();
  CHECK(reading.at("app_a_total{protocol=statsd}") == 1);
  CHECK(reading.at("guest_statsd_dropped_total") == 1);
}

TEST_CASE("the socket is for whom it was made, and goes with the source") {
  Tree tree;
  const std::string path = tree.root() + "/s";
  struct stat status{};
  {
    Config config = local();
    config.statsd_mode = 0666;
    Reader reader(makeStatsdSource(config), tree);
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0666);
    auto second = makeStatsdSource(config);
    const auto opened = second->open(tree.root());
    REQUIRE_FALSE(opened);
    CHECK(opened.error() == path + ": another program takes what is sent there");
    reader.source().select(false);
    CHECK(::stat(path.c_str(), &status) != 0);
    reader.source().select(true);
    CHECK(Sender(path).send("a:1|c"));
    CHECK(reader.read().at("app_a_total{protocol=statsd}") == 1);
  }
  CHECK(::stat(path.c_str(), &status) != 0);
}

TEST_CASE("a socket of another kind that is in use stays") {
  Tree tree;
  const std::string path = tree.root() + "/s";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const Descriptor stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(stream.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(stream.get(), 1) == 0);
  CHECK(makeStatsdSource(local())->open(tree.root()).error() ==
        path + ": another program takes what is sent there");
  CHECK(exists(path));
}

TEST_CASE("a socket left behind is replaced, a file is not") {
  Tree tree;
  const std::string path = tree.root() + "/s";
  {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const Descriptor left(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  {
    Reader reader(makeStatsdSource(local()), tree);
  }
  tree.write("s", "precious");
  auto source = makeStatsdSource(local());
  CHECK(source->open(tree.root()).error() == path + ": there is something else that is no socket");
  CHECK(exists(path));
}

/// A program that sends to a UDP port of loopback that was free when it was made.
class UdpSender {
 public:
  UdpSender() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    const Descriptor probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(probe.get(), raw(), size) == 0);
    REQUIRE(::getsockname(probe.get(), raw(), &size) == 0);
  }
  std::uint16_t port() const { return ntohs(address_.sin_port); }
  void send(std::string_view bytes) {
    REQUIRE(::sendto(fd_.get(), bytes.data(), bytes.size(), 0, raw(), sizeof address_) ==
            static_cast<ssize_t>(bytes.size()));
  }

 private:
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&address_); }

  Descriptor fd_;
  sockaddr_in address_{};
};

TEST_CASE("UDP is taken on loopback, and what the kernel had no room for is counted") {
  Tree tree;
  UdpSender sender;
  Config config;
  config.statsd_udp = sender.port();
  Reader reader(makeStatsdSource(config), tree);
  sender.send("a:3|c");
  CHECK(reader.read().at("app_a_total{protocol=statsd}") == 3);

  constexpr int kFlood = 20'000;
  for (int i = 0; i < kFlood; ++i) sender.send("b:1|c");
  pollfd waiting{.fd = reader.source().eventFd(), .events = POLLIN, .revents = 0};
  while (::poll(&waiting, 1, 0) == 1) reader.source().attend();
  const Reading reading = reader.read();
  const double taken = reading.at("app_b_total{protocol=statsd}");
  CHECK(taken < kFlood);
  CHECK(reading.at("guest_statsd_dropped_total") == kFlood - taken);
  CHECK(reader.read().at("guest_statsd_dropped_total") == kFlood - taken);
}

}  // namespace
}  // namespace virtseer::agent
