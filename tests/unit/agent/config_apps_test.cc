#include "agent/config_apps.h"

#include <catch2/catch.hpp>
#include <string>

#include "agent/config_file.h"

namespace virtseer::agent {
namespace {

std::string faultOf(const std::string& text) {
  const auto faults = parseConfig(text).faults;
  REQUIRE(faults.size() == 1);
  return faults[0].message;
}

TEST_CASE("an endpoint has a name, a page, and the series that are told") {
  const auto loaded = parseConfig(
      "scrape = pg http://127.0.0.1:9187/metrics pg_up pg_stat_database_*{datname,server}\n"
      "scrape = web-1.a unix:/run/a.sock:/m\nscrape_interval = 15s\n"
      "statsd = /run/virtseer-agent/statsd\nstatsd_mode = 0666\nstatsd_udp = 8125\n");
  REQUIRE(loaded.faults.empty());
  REQUIRE(loaded.config.scrape.size() == 2);
  const Config::Endpoint& postgres = loaded.config.scrape[0];
  CHECK(postgres.name == "pg");
  CHECK(postgres.url == "http://127.0.0.1:9187/metrics");
  REQUIRE(postgres.patterns.size() == 2);
  CHECK(postgres.patterns[0] == MetricPattern{"pg_up", {}});
  CHECK(postgres.patterns[1].kept == std::vector<std::string>{"datname", "server"});
  CHECK(loaded.config.scrape[1].patterns.empty());
  CHECK(loaded.config.scrape_interval_ms == 15'000);
  CHECK(loaded.config.statsd_mode == 0666);
  CHECK(loaded.config.statsd_udp == 8125);
}

TEST_CASE("a wrong endpoint is refused with what to do") {
  CHECK(faultOf("scrape = pg").find("is not NAME URL PATTERN..., such as: postgres") !=
        std::string::npos);
  CHECK(faultOf("scrape = pg http://10.0.0.1:9187/metrics").find("is not of this machine alone") !=
        std::string::npos);
  CHECK(faultOf("scrape = pg https://127.0.0.1/m").find("is neither http://") != std::string::npos);
  CHECK(faultOf("scrape = pg http://127.0.0.1:1/m a-b").find("has the pattern 'a-b'") !=
        std::string::npos);
  std::string many = "scrape = pg http://127.0.0.1:1/m";
  for (int i = 0; i < 17; ++i) many += " a";
  CHECK(faultOf(many).ends_with("has more than 16 patterns"));
  CHECK(faultOf("scrape = p/g http://127.0.0.1:1/m").find("a NAME holds") != std::string::npos);
}

TEST_CASE("a function has a name, a file and a symbol") {
  const auto loaded = parseConfig("uprobe = malloc /lib/libc.so.6 malloc\n");
  REQUIRE(loaded.faults.empty());
  REQUIRE(loaded.config.uprobes.size() == 1);
  CHECK(loaded.config.uprobes[0].name == "malloc");
  CHECK(loaded.config.uprobes[0].path == "/lib/libc.so.6");
  CHECK(loaded.config.uprobes[0].symbol == "malloc");
  for (const char* wrong :
       {"uprobe = x y z", "uprobe = x /y", "uprobe = x /y z w", "uprobe = x/ /y z", "uprobe = x"}) {
    CAPTURE(wrong);
    CHECK(faultOf(wrong).find("is not NAME PATH SYMBOL, such as: malloc") != std::string::npos);
  }
  CHECK(faultOf("uprobe = a /b c\nuprobe = a /b d")
            .ends_with("has the name of another: choose one of its own"));
  std::string many;
  for (int i = 0; i < 33; ++i) many += "uprobe = f" + std::to_string(i) + " /b c\n";
  CHECK(faultOf(many).ends_with("is one too many: 32 at most"));
}

TEST_CASE("intervals, modes and ports have their bounds") {
  for (const char* wrong :
       {"scrape_interval = 1s", "scrape_interval = 5", "scrape_interval = 2h", "statsd_mode = 666x",
        "statsd_mode = 0888", "statsd_mode = 4777", "statsd_mode = 6", "statsd_udp = 0",
        "statsd_udp = 65536", "statsd_udp = udp", "statsd = statsd"}) {
    CAPTURE(wrong);
    faultOf(wrong);
  }
  CHECK(parseConfig("").config.statsd_mode == 0660);
  CHECK(parseConfig("").config.statsd.empty());
}

}  // namespace
}  // namespace virtseer::agent
