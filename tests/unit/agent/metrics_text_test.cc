#include "agent/metrics_text.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "agent/float_text.h"
#include "agent/metric_pattern.h"

namespace virtseer::agent {
namespace {

struct Read {
  std::vector<std::string> samples;  ///< "name{label=value,...} value" and c, b for what it is
  std::string fault;

  bool operator==(const Read&) const = default;
};

/// Hands the text over in pieces of this size.
Read readIn(std::string_view text, std::size_t piece) {
  MetricsReader reader;
  Read read;
  while (!text.empty()) {
    std::string_view part = text.substr(0, piece);
    text.remove_prefix(part.size());
    while (reader.next(part)) {
      const MetricSample& sample = reader.sample();
      std::string line(sample.name);
      for (const MetricLabel& label : sample.labels)
        line += "," + std::string(label.name) + "=" + unescaped(label.value);
      char value[32];
      std::snprintf(value, sizeof value, " %g", sample.value);
      read.samples.push_back(line + value + (sample.counter ? " c" : "") +
                             (sample.bucket ? " b" : ""));
    }
  }
  reader.finish();
  read.fault = reader.fault();
  return read;
}

std::string faultOf(std::string_view text) {
  return readIn(text, 4096).fault;
}

constexpr const char* kPage =
    "# HELP http_requests_total The total number of HTTP requests.\n"
    "# TYPE http_requests_total counter\n"
    "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
    "http_requests_total{method=\"post\",code=\"400\",}    3 1395066363000\n"
    "\n"
    "# Escaping in label values:\n"
    "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\F.TXT\",error=\"no\\n\\\"F\\\"\"} "
    "1.458255915e9\n"
    "metric_without_timestamp_and_labels 12.47\n"
    "something_weird{problem=\"division by zero\"} +Inf -3982045\n"
    "# TYPE duration histogram\n"
    "duration_bucket{le=\"0.05\"} 24054\n"
    "duration_bucket{le=\"+Inf\"} 144320\n"
    "  duration_sum\t53423\n"
    "duration_count 144320\n"
    "# TYPE rpc summary\n"
    "rpc { quantile = \"0.5\" } 4773\n"
    "rpc_sum 1.7560473e+07\n"
    "rpc_count 2693\n"
    "# TYPE commits counter\n"
    "commits 7\n"
    "# TYPE temperature gauge\n"
    "temperature NaN\n"
    "commits_of_others 7\n";

TEST_CASE("a page is read as the format's description says, in whatever pieces it comes") {
  const Read whole = readIn(kPage, 65536);
  CHECK(whole.fault.empty());
  CHECK(whole.samples == std::vector<std::string>{
                             "http_requests_total,method=post,code=200 1027 c",
                             "http_requests_total,method=post,code=400 3 c",
                             "msdos_file_access_time_seconds,path=C:\\DIR\\F.TXT,error=no\n\"F\" "
                             "1.45826e+09",
                             "metric_without_timestamp_and_labels 12.47",
                             "something_weird,problem=division by zero nan",
                             "duration_bucket,le=0.05 24054 c b",
                             "duration_bucket,le=+Inf 144320 c b",
                             "duration_sum 53423 c",
                             "duration_count 144320 c",
                             "rpc,quantile=0.5 4773",
                             "rpc_sum 1.75605e+07 c",
                             "rpc_count 2693 c",
                             "commits 7 c",
                             "temperature nan",
                             "commits_of_others 7",
                         });
  for (const std::size_t piece : {1, 2, 3, 7, 64}) CHECK(readIn(kPage, piece) == whole);
}

TEST_CASE("nothing follows the end that OpenMetrics writes") {
  CHECK(readIn("# TYPE a unknown\na 1\n# EOF\n", 9).samples == std::vector<std::string>{"a 1"});
  CHECK(faultOf("a 1\n# EOF\n").empty());
  CHECK(faultOf("a 1\n# EOF\nb 1\n") == "line 3 follows # EOF");
}

TEST_CASE("one wrong line makes the page wrong, and is named") {
  for (const char* wrong : {"1a 1",
                            "a",
                            "a{",
                            "a{} ",
                            "a{b} 1",
                            "a{b=c} 1",
                            "a{b=\"c} 1",
                            "a{b=\"c\" 1",
                            "a{b=\"\\x\"} 1",
                            "a{b=\"c\"d=\"e\"} 1",
                            "a{b=\"1\",b=\"2\"} 1",
                            "a{,} 1",
                            "a 0x10",
                            "a 1 2 3",
                            "a 1 x",
                            "a infinity",
                            "a 1_000",
                            "a-b 1",
                            "a 1 # {b=\"c\"} 2",
                            "a\"b\" 1",
                            "# TYPE a nothing",
                            "# TYPE a counter more",
                            "# TYPE 1 counter",
                            "a 1\r",
                            "<html>"}) {
    CAPTURE(wrong);
    CHECK(faultOf("good 1\n" + std::string(wrong) + "\n").starts_with("line 2 "));
  }
  CHECK(faultOf("a 1\nb 2") == "line 2 has no end: the text is cut");
  CHECK(faultOf("") == "");
}

TEST_CASE("lines and labels are bounded") {
  const std::string long_help = "# HELP a " + std::string(MetricsReader::kMaxLineBytes, 'x') + "\n";
  CHECK(faultOf(long_help) == "line 1 is longer than 8192 bytes");
  CHECK(readIn(long_help, 100).fault == "line 1 is longer than 8192 bytes");
  std::string many = "a{";
  for (int i = 0; i < 65; ++i) many += "l" + std::to_string(i) + "=\"\",";
  CHECK(faultOf(many + "} 1\n") == "line 1 has more than 64 labels");
}

TEST_CASE("numbers are those that programs write") {
  CHECK(parseFloat("-1.5e3") == -1500);
  CHECK(parseFloat("+7") == 7);
  CHECK(std::isnan(*parseFloat("NaN")));
  CHECK(std::isnan(*parseFloat("1e999")));
  for (const char* wrong : {"", "e", "1e", "--1", "0x1p3", "nan(1)", " 1", "1 "})
    CHECK_FALSE(parseFloat(wrong));
  CHECK_FALSE(parseFloat(std::string(64, '1')));
}

bool matches(std::string_view pattern, std::string_view name, bool bucket = false) {
  MetricSample sample;
  sample.name = name;
  sample.bucket = bucket;
  return parsePattern(pattern).value().matches(sample);
}

TEST_CASE("a pattern's stars stand for any characters, but not for buckets") {
  CHECK(matches("pg_*", "pg_up"));
  CHECK(matches("*", "x"));
  CHECK(matches("a*b*c", "a1b2b3c"));
  CHECK(matches("pg_up*", "pg_up"));
  CHECK_FALSE(matches("pg_up", "pg_up_since"));
  CHECK_FALSE(matches("a*b*c", "a1b2c3"));
  CHECK_FALSE(matches("duration_*", "duration_bucket", true));
  CHECK(matches("duration_bucket", "duration_bucket", true));
  CHECK(matches("*_bucket", "duration_bucket", true));
  // Takes no longer the more stars there are.
  CHECK_FALSE(matches(std::string(50, '*') + "b", std::string(5000, 'a')));
}

TEST_CASE("a pattern says which labels are kept") {
  CHECK(parsePattern("a*")->keeps("any"));
  CHECK_FALSE(parsePattern("a*{}")->keeps("any"));
  const auto two = parsePattern("a{b,c}");
  REQUIRE(two);
  CHECK(two->keeps("c"));
  CHECK_FALSE(two->keeps("d"));
  for (const char* wrong : {"", "{a}", "a{", "a{b", "a}", "a{b-c}", "a{,b}", "a-b", "a?",
                            "a{a,b,c,d,e,f,g,h}", "a{b}c"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parsePattern(wrong));
  }
}

}  // namespace
}  // namespace virtseer::agent
