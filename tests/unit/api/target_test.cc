#include "api/target.h"

#include <catch2/catch.hpp>

#include "api/handlers.h"
#include "api/router.h"
#include "fake_backend.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {
const Timestamp kNow = at("2026-01-31T08:00:00.000Z");
}

TEST_CASE("a target is split first and decoded then") {
  const auto target =
      parseTarget("/api/v1/vms/a%2Fb%20c?label=device%3Avda&label=x+y%2B&empty=&bare");
  REQUIRE(target);
  CHECK(target->path == std::vector<std::string>{"api", "v1", "vms", "a/b c"});
  CHECK(target->query ==
        Query{{"label", "device:vda"}, {"label", "x y+"}, {"empty", ""}, {"bare", ""}});
}

TEST_CASE("a plus in a path is a plus") {
  CHECK(parseTarget("/a+b")->path[0] == "a+b");
}

TEST_CASE("broken targets are refused with a text") {
  for (const char* raw :
       {"", "*", "http://evil/x", "/a%", "/a%2", "/a%zz", "/a?x=%", "/a%00", "/a?x=%0a", "/a#b",
        "/%ff", "/a?%c0%80=1", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"}) {
    const auto target = parseTarget(raw);
    INFO(raw);
    REQUIRE_FALSE(target);
    CHECK(target.error().code == Code::invalid);
    CHECK_FALSE(target.error().message.empty());
  }
  std::string many = "/a?";
  for (int i = 0; i < 65; ++i) many += "x&";
  CHECK_FALSE(parseTarget(many));
}

TEST_CASE("moments are absolute, relative or now") {
  const auto read = [](const char* text) { return moment({{"from", text}}, "from", kNow); };
  CHECK(read("now").value() == kNow);
  CHECK(read("-15m").value() == kNow - std::chrono::minutes(15));
  CHECK(read("2026-01-31T08:05:00Z").value() == at("2026-01-31T08:05:00Z"));
  CHECK(read("2026-01-31T09:05:00 01:00").value() == at("2026-01-31T08:05:00Z"));
  CHECK(moment({}, "from", kNow).value() == std::nullopt);
  for (const char* text : {"", "-", "15m", "--15m", "-9223372036854775807ms", "yesterday", "-1.5h"})
    CHECK_FALSE(read(text));
}

TEST_CASE("whole numbers keep to their bounds") {
  const auto read = [](const char* text) {
    return wholeNumber({{"limit", text}}, "limit", 1, 10, 5);
  };
  CHECK(read("10") == 10u);
  CHECK(wholeNumber({}, "limit", 1, 10, 5) == 5u);
  for (const char* text : {"", "0", "11", "-1", "1x", " 1", "99999999999999999999"})
    CHECK_FALSE(read(text));
}

TEST_CASE("paths and methods lead to their routes") {
  const auto found = match("GET", "/api/v1/vms/web/series?metric=a&label=a:b&label=c:d");
  REQUIRE(found);
  CHECK(found->route->name == "getVmSeries");
  CHECK(found->request.path == std::vector<std::string>{"web"});
  CHECK(match("HEAD", "/healthz")->route->name == "getHealthz");
  CHECK(match("POST", "/api/v1/vms/web/load")->route->name == "loadVm");
}

TEST_CASE("what is not in the table is 404, a wrong method 405 with Allow") {
  for (const char* raw :
       {"/", "/api/v1", "/api/v1/", "/api/v1/vms/", "/api/v1/vms//series", "/api/v1/hosts/a/load",
        "/metrics/", "//metrics", "/api/v1/vms/a/series/"})
    CHECK(match("GET", raw).error().status == 404);
  const auto wrong = match("DELETE", "/api/v1/vms/web");
  CHECK(wrong.error().status == 405);
  CHECK(wrong.error().headers == Headers{{"Allow", "GET, HEAD"}});
  CHECK(match("GET", "/api/v1/vms/web/load").error().headers == Headers{{"Allow", "POST"}});
  CHECK(match("BREW", "/metrics").error().status == 405);
}

TEST_CASE("unknown and repeated parameters are refused and said how to correct") {
  const auto unknown = match("GET", "/api/v1/vms?all=true");
  CHECK(unknown.error().status == 400);
  CHECK(unknown.error().detail == "unknown query parameter \"all\"; this path takes gone");
  const auto twice = match("GET", "/api/v1/vms?gone=true&gone=false");
  CHECK(twice.error().status == 400);
  CHECK(twice.error().detail == "query parameter gone is given twice; give it once");
  CHECK(match("GET", "/metrics?x=1").error().detail ==
        "unknown query parameter \"x\"; this path takes none");
  CHECK(match("GET", "/api/v1/vms/a/events?entity=b").error().status == 400);
}

TEST_CASE("a question for points is read whole") {
  const auto query = parseSeriesQuery({{"metric", "guest_load1"},
                                       {"label", "device:vda:1"},
                                       {"label", "mode:"},
                                       {"source", "guest"},
                                       {"from", "-10m"},
                                       {"to", "-5m"},
                                       {"step", "5s"},
                                       {"aggregation", "p95"},
                                       {"limit", "7"}},
                                      kNow);
  REQUIRE(query);
  CHECK(query->metric == "guest_load1");
  CHECK(query->labels == Labels{{"device", "vda:1"}, {"mode", ""}});
  CHECK(query->source == Source::guest);
  CHECK(query->from == kNow - std::chrono::minutes(10));
  CHECK(query->to == kNow - std::chrono::minutes(5));
  CHECK(query->step == Millis(5000));
  CHECK(query->aggregation == Aggregation::p95);
  CHECK(query->limit == 7);
}

TEST_CASE(
    "a question for points has defaults: the last hour, every point; a step alone means the mean") {
  const auto plain = parseSeriesQuery({{"metric", "m"}}, kNow);
  CHECK(plain->from == kNow - std::chrono::hours(1));
  CHECK(plain->to == kNow);
  CHECK(plain->aggregation == Aggregation::none);
  CHECK(parseSeriesQuery({{"metric", "m"}, {"step", "1m"}}, kNow)->aggregation ==
        Aggregation::mean);
}

TEST_CASE("a wrong question for points is refused") {
  const Query wrong[] = {{},
                         {{"metric", ""}},
                         {{"metric", std::string(129, 'm')}},
                         {{"metric", "m"}, {"label", "device"}},
                         {{"metric", "m"}, {"label", ":x"}},
                         {{"metric", "m"}, {"label", "a:1"}, {"label", "a:2"}},
                         {{"metric", "m"}, {"source", "moon"}},
                         {{"metric", "m"}, {"from", "now"}, {"to", "-1m"}},
                         {{"metric", "m"}, {"from", "now"}},
                         {{"metric", "m"}, {"step", "0s"}},
                         {{"metric", "m"}, {"step", "5"}},
                         {{"metric", "m"}, {"step", "1ms"}, {"from", "-1d"}},
                         {{"metric", "m"}, {"step", "1m"}, {"aggregation", "none"}},
                         {{"metric", "m"}, {"aggregation", "median"}},
                         {{"metric", "m"}, {"limit", "100001"}}};
  for (const auto& query : wrong) {
    const auto read = parseSeriesQuery(query, kNow);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Code::invalid);
  }
}

TEST_CASE("an event filter is read whole") {
  const auto filter = parseEventFilter({{"from", "-1h"},
                                        {"to", "now"},
                                        {"severity", "warning"},
                                        {"kind", "vm."},
                                        {"limit", "5"},
                                        {"cursor", "41"}},
                                       kNow);
  REQUIRE(filter);
  CHECK(filter->from == kNow - std::chrono::hours(1));
  CHECK(filter->to == kNow);
  CHECK(filter->at_least == Severity::warning);
  CHECK(filter->kind_prefix == "vm.");
  CHECK(filter->limit == 5);
  CHECK(filter->before_id == 41u);
  for (const auto& [key, value] :
       Query{{"severity", "bad"}, {"limit", "1001"}, {"cursor", "x"}, {"to", "x"}})
    CHECK_FALSE(parseEventFilter({{key, value}}, kNow));
}

TEST_CASE("an order for work is read whole") {
  const auto order =
      parseLoadOrder("application/json; charset=utf-8",
                     R"({"cpu_cores":1.5,"memory_bytes":1048576,"disk_bytes_per_second":4096,
                                        "ramp_ms":1000,"duration_ms":60000})");
  REQUIRE(order);
  CHECK(order->cpu_cores == 1.5);
  CHECK(order->memory_bytes == 1048576);
  CHECK(order->disk_bytes_per_second == 4096);
  CHECK(order->ramp == Millis(1000));
  CHECK(order->duration == Millis(60000));
  CHECK(parseLoadOrder("application/json", R"({"duration_ms":0})"));
}

TEST_CASE("a wrong order for work is refused and said why") {
  CHECK(parseLoadOrder("text/plain", R"({"duration_ms":1})").error().status == 415);
  CHECK(parseLoadOrder("", R"({"duration_ms":1})").error().status == 415);
  for (const char* body :
       {"", "[]", "{", "7", R"({})", R"({"cpu_cores":1})", R"({"duration_ms":-1})",
        R"({"duration_ms":"1"})", R"({"duration_ms":1.5})", R"({"duration_ms":1,"cpu_cores":-1})",
        R"({"duration_ms":1,"cpu_cores":1e9})", R"({"duration_ms":1,"cpus":1})",
        R"({"duration_ms":1,"ramp_ms":2})", R"({"duration_ms":0,"cpu_cores":1})",
        R"({"duration_ms":1,"memory_bytes":18446744073709551615})",
        R"({"duration_ms":99999999999})"}) {
    const auto order = parseLoadOrder("application/json", body);
    INFO(body);
    REQUIRE_FALSE(order);
    CHECK(order.error().status == 400);
    CHECK_FALSE(order.error().detail.empty());
  }
}
