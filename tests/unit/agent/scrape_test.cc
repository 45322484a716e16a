#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "agent/config_apps.h"
#include "agent/scrape_series.h"
#include "agent/scrape_target.h"
#include "tree.h"

namespace virtseer::agent {
namespace {

/// A server of pages in the test's own thread.
class Exporter {
 public:
  Exporter() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), raw, size) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    REQUIRE(::getsockname(listener_.get(), raw, &size) == 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/metrics";
  }
  explicit Exporter(const std::string& path)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        url_("unix:" + path + ":/metrics") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), raw, sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
  }

  const std::string& url() const { return url_; }
  bool isCalled() const {
    pollfd waiting{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 0) == 1;
  }
  /// The next caller's request, which stays to be answered.
  std::string take() {
    caller_ = Descriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(caller_);
    char buffer[4096];
    const ssize_t size = ::recv(caller_.get(), buffer, sizeof buffer, 0);
    REQUIRE(size > 0);
    return {buffer, static_cast<std::size_t>(size)};
  }
  void send(std::string_view bytes) const {
    REQUIRE(::send(caller_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  void hangUp() { caller_.reset(); }

 private:
  Descriptor listener_;
  Descriptor caller_;
  std::string url_;
};

/// The source with a clock of its own, and a page that is handed out.
class Scraper {
 public:
  explicit Scraper(const Config& config) : reader_(makeScrapeSource(config), tree_) {}

  Reading round(std::int64_t step_ms = 5000) { return reader_.read(now_ms_ += step_ms); }
  Source& source() { return reader_.source(); }
  std::string trouble() { return reader_.source().trouble(); }
  const std::vector<echo::Happening>& happenings() { return reader_.report().happenings; }

  /// Lets the source work until nothing is left to do.
  void attend() {
    constexpr int kQuietMs = 20;
    pollfd waiting{.fd = source().eventFd(), .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, kQuietMs) == 1) source().attend();
  }
  /// One scrape whose answer is these bytes.
  void answer(Exporter& exporter, std::string_view bytes) {
    attend();
    exporter.take();
    exporter.send(bytes);
    exporter.hangUp();
    attend();
  }
  void serve(Exporter& exporter, std::string_view page) {
    answer(exporter, "HTTP/1.0 200 OK\r\n\r\n" + std::string(page));
  }

 private:
  Tree tree_;
  Reader reader_;
  std::int64_t now_ms_ = 0;
};

void add(Config& config, const std::string& value) {
  CAPTURE(value);
  REQUIRE(addScrape(config, value).empty());
}

Config one(const Exporter& exporter, const std::string& patterns) {
  Config config;
  add(config, "app " + exporter.url() + " " + patterns);
  return config;
}

TEST_CASE("what the allow-list names is told from the next round on, as ours and of its endpoint") {
  Exporter exporter;
  Scraper scraper(one(exporter, "up jobs* work:seconds"));
  CHECK(scraper.round() == Reading{{"guest_scrape_samples_left_out_total", 0}});
  scraper.attend();
  const std::string request = exporter.take();
  CHECK(request.starts_with("GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:"));
  CHECK(request.ends_with("\r\n\r\n"));
  exporter.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nup 1\n# TYPE jobs counter\njo");
  scraper.attend();
  exporter.send(
      "bs{queue=\"a\",endpoint=\"x\",host=\"y\"} 7\nsecret 5\nguest_up 1\nwork:seconds 0.5\n");
  exporter.hangUp();
  scraper.attend();
  const Reading told{
      {"guest_scrape_samples_left_out_total", 0},
      {"guest_scrape_up{endpoint=app}", 1},
      {"app_up{endpoint=app}", 1},
      {"app_jobs_total{endpoint=app,exported_endpoint=x,exported_host=y,queue=a}", 7},
      {"app_work_seconds{endpoint=app}", 0.5}};
  CHECK(scraper.round() == told);
  // The next answer is on its way: until it is there the last one stands.
  CHECK(scraper.round(1000) == told);
  CHECK(scraper.trouble().empty());
}

TEST_CASE("a figure of an application can never be one of the agent's own") {
  Exporter exporter;
  Scraper scraper(one(exporter, "*"));
  scraper.round();
  scraper.serve(exporter, "guest_memory_used_bytes 1\nguest_web_requests_total 5\n");
  for (const auto& [name, value] : scraper.round())
    CHECK((name.starts_with("app_guest_") || name.starts_with("guest_scrape_")));
}

TEST_CASE("an endpoint that fails says why, and its values are missing until it answers again") {
  Exporter exporter;
  Scraper scraper(one(exporter, "*"));
  scraper.round();
  scraper.serve(exporter, "a 1\n");
  CHECK(scraper.round().at("app_a{endpoint=app}") == 1);
  const std::pair<const char*, const char*> answers[] = {
      {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n",
       "app: answered 302: redirects are not followed"},
      {"HTTP/1.1 500 Oops\r\n\r\n", "app: answered 500"},
      {"HTTP/1.0 200 OK\r\n\r\na 2\nb", "app: line 2 has no end: the text is cut"},
      {"HTTP/1.0 200 OK\r\n\r\n<html>\n", "app: line 1 does not begin with a name"}};
  for (const auto& [bytes, trouble] : answers) {
    scraper.answer(exporter, bytes);
    CHECK(scraper.trouble() == trouble);
    const Reading reading = scraper.round();
    CHECK(reading.at("guest_scrape_up{endpoint=app}") == 0);
    CHECK_FALSE(reading.contains("app_a{endpoint=app}"));
  }
  scraper.serve(exporter, "a 3\n");
  CHECK(scraper.trouble().empty());
  CHECK(scraper.round().at("app_a{endpoint=app}") == 3);
}

TEST_CASE("an endpoint that is silent is given up, and one that is not there is told at once") {
  Exporter exporter;
  Config config = one(exporter, "*");
  {
    const Exporter gone;
    add(config, "gone " + gone.url());
  }
  Scraper scraper(config);
  scraper.round();
  scraper.attend();
  CHECK(scraper.trouble() == "gone: Connection refused");
  exporter.take();
  exporter.send("HTTP/1.0 200 OK\r\n\r\na 1\n");
  scraper.attend();
  CHECK_FALSE(scraper.round(3999).contains("guest_scrape_up{endpoint=app}"));
  const Reading reading = scraper.round(1);
  CHECK(reading.at("guest_scrape_up{endpoint=app}") == 0);
  CHECK_FALSE(reading.contains("app_a{endpoint=app}"));
  CHECK(scraper.trouble().starts_with("app: no whole answer within 4 s"));
}

TEST_CASE("an answer that trickles is given up") {
  Tree tree;
  Exporter exporter(tree.root() + "/s");
  Scraper scraper(one(exporter, "*"));
  scraper.round();
  scraper.attend();
  exporter.take();
  exporter.send("HTTP/1.0 200 OK\r\n\r\n");
  for (unsigned i = 0; i < 5000 && scraper.trouble().empty(); ++i) {
    exporter.send("\n");
    scraper.source().attend();
  }
  CHECK(scraper.trouble() == "app: answered in more than 4096 pieces");
  CHECK(scraper.round().at("guest_scrape_up{endpoint=app}") == 0);
}

TEST_CASE("that an endpoint began to fail is told once, and not again and again") {
  Exporter exporter;
  Scraper scraper(one(exporter, "*"));
  scraper.round();
  scraper.answer(exporter, "HTTP/1.0 503 Busy\r\n\r\n");
  scraper.round();
  REQUIRE(scraper.happenings().size() == 1);
  const echo::Happening& happening = scraper.happenings()[0];
  CHECK(happening.kind == "guest.scrape_failed");
  CHECK(happening.message == "app: answered 503");
  CHECK(happening.fields.at("endpoint") == "app");
  for (const char* answer : {"HTTP/1.0 503 Busy\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\na 1\n",
                             "HTTP/1.0 503 Busy\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\na 1\n"}) {
    scraper.answer(exporter, answer);
    scraper.round();
    CHECK(scraper.happenings().empty());
  }
  scraper.round(600'000);  // the question of the round before was not answered
  REQUIRE(scraper.happenings().size() == 1);
  CHECK(scraper.happenings()[0].message == "app: no whole answer within 4 s");
}

TEST_CASE("a page is asked for once an interval, however often echoes are made") {
  Exporter exporter;
  Config config = one(exporter, "*");
  REQUIRE(setScrapeInterval(config, "15s").empty());
  Scraper scraper(config);
  scraper.round();
  scraper.serve(exporter, "a 1\n");
  for (int i = 0; i < 14; ++i) {
    CHECK(scraper.round(1000).at("app_a{endpoint=app}") == 1);
    CHECK_FALSE(exporter.isCalled());
  }
  scraper.round(800);  // rounds may come a little early
  CHECK(exporter.isCalled());
}

TEST_CASE("labels that are not kept are added over, those of the rest stay") {
  Exporter exporter;
  Scraper scraper(one(exporter, "rows{table} hits{} raw"));
  scraper.round();
  scraper.serve(
      exporter,
      "# TYPE rows counter\nrows{table=\"a\",node=\"1\"} 1\nrows{table=\"a\",node=\"2\"} 2\n"
      "rows{table=\"b\",node=\"1\"} 4\nhits{node=\"1\"} NaN\nhits{node=\"2\"} 6\n"
      "raw{node=\"1\"} 1\nraw{node=\"1\"} 2\n");
  CHECK(scraper.round() == Reading{{"guest_scrape_samples_left_out_total", 1},
                                   {"guest_scrape_up{endpoint=app}", 1},
                                   {"app_rows_total{endpoint=app,table=a}", 3},
                                   {"app_rows_total{endpoint=app,table=b}", 4},
                                   {"app_hits{endpoint=app}", 6},
                                   {"app_raw{endpoint=app,node=1}", 1}});
}

TEST_CASE("buckets of a histogram are told only where they are asked for") {
  Exporter exporter;
  Scraper scraper(one(exporter, "d*"));
  const char* page =
      "# TYPE d histogram\nd_bucket{le=\"1\"} 1\nd_bucket{le=\"+Inf\"} 2\nd_sum 3\nd_count 2\n";
  scraper.round();
  scraper.serve(exporter, page);
  CHECK(scraper.round() == Reading{{"guest_scrape_samples_left_out_total", 0},
                                   {"guest_scrape_up{endpoint=app}", 1},
                                   {"app_d_sum_total{endpoint=app}", 3},
                                   {"app_d_count_total{endpoint=app}", 2}});
  Exporter other;
  Scraper asked(one(other, "d_bucket"));
  asked.round();
  asked.serve(other, page);
  CHECK(asked.round().at("app_d_bucket_total{endpoint=app,le=1}") == 1);
}

TEST_CASE("a page of very many series takes the room there is, and the rest is counted") {
  Exporter exporter;
  Scraper scraper(one(exporter, "*"));
  std::string page;
  for (int i = 0; i < 1000; ++i) page += "a{n=\"" + std::to_string(i) + "\"} 1\n";
  page += "b{l1=\"\",l2=\"2\",l3=\"3\",l4=\"4\",l5=\"5\",l6=\"6\",l7=\"7\",l8=\"8\"} 1\n";
  page += "b{l1=\"1\",l2=\"2\",l3=\"3\",l4=\"4\",l5=\"5\",l6=\"6\",l7=\"7\",l8=\"8\"} 1\n";
  page += std::string(200, 'c') + " 1\n";
  scraper.round();
  scraper.serve(exporter, page);
  const Reading reading = scraper.round();
  CHECK(reading.size() == ScrapeSeries::kMaxSeries + 2);
  CHECK(reading.at("guest_scrape_samples_left_out_total") == 1003 - ScrapeSeries::kMaxSeries);
}

TEST_CASE("a source that was switched off holds nothing open and tells nothing of before") {
  Exporter exporter;
  Scraper scraper(one(exporter, "*"));
  scraper.round();
  scraper.serve(exporter, "a 1\n");
  scraper.round();
  scraper.attend();
  exporter.take();
  scraper.source().select(false);
  scraper.source().select(true);
  CHECK(scraper.round() == Reading{{"guest_scrape_samples_left_out_total", 0}});
  CHECK(exporter.isCalled());
}

TEST_CASE("a socket in the file system is asked as a port is") {
  Tree tree;
  Exporter exporter(tree.root() + "/s");
  Scraper scraper(one(exporter, "*"));
  scraper.round();
  scraper.serve(exporter, "a 1\n");
  CHECK(scraper.round().at("app_a{endpoint=app}") == 1);
}

TEST_CASE("an exporter's transactions and requests are told under one name for all of a kind") {
  Exporter postgres, nginx;
  Config config;
  add(config, "pg " + postgres.url());
  add(config, "web " + nginx.url() + " nginx_connections_*");
  Scraper scraper(config);
  scraper.round();
  scraper.serve(postgres,
                "# TYPE pg_stat_database_xact_commit counter\n"
                "pg_stat_database_xact_commit{datid=\"1\",datname=\"a\"} 100\n"
                "pg_stat_database_xact_commit{datid=\"2\",datname=\"b\"} 20\n"
                "# TYPE pg_stat_database_xact_rollback counter\n"
                "pg_stat_database_xact_rollback{datid=\"1\",datname=\"a\"} 3\n"
                "pg_stat_database_xact_rollback{datid=\"2\",datname=\"b\"} NaN\n");
  scraper.serve(nginx, "# TYPE nginx_http_requests_total counter\nnginx_http_requests_total 99\n");
  CHECK(scraper.round() == Reading{{"guest_scrape_samples_left_out_total", 0},
                                   {"guest_scrape_up{endpoint=pg}", 1},
                                   {"guest_scrape_up{endpoint=web}", 1},
                                   {"guest_database_transactions_total{endpoint=pg}", 123},
                                   {"guest_web_requests_total{endpoint=web}", 99}});
}

/// Pages that postgres_exporter 0.11.1 (the part about databases) and nginx-prometheus-exporter
/// 0.11.0 have written.
std::string recorded(const std::string& name) {
  std::ifstream file(VIRTSEER_SOURCE_DIR "/tests/unit/agent/recorded_pages/" + name);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_CASE("pages of the real exporters are read") {
  Exporter postgres, nginx;
  Config config;
  add(config, "pg " + postgres.url() + " pg_up pg_stat_database_*{datname} go_gc_* *_cpu_*");
  add(config, "web " + nginx.url() + " nginx_*");
  Scraper scraper(config);
  scraper.round();
  scraper.serve(postgres, recorded("postgres.txt"));
  scraper.serve(nginx, recorded("nginx.txt"));
  const Reading reading = scraper.round();
  CHECK(scraper.trouble().empty());
  CHECK(reading.at("guest_database_transactions_total{endpoint=pg}") == 877 + 25);
  CHECK(reading.at("app_pg_up{endpoint=pg}") == 1);
  CHECK(reading.at("app_pg_stat_database_xact_commit_total{datname=postgres,endpoint=pg}") == 25);
  CHECK(reading.at("app_pg_stat_database_numbackends{datname=postgres,endpoint=pg}") == 2);
  CHECK(reading.at("app_go_gc_duration_seconds{endpoint=pg,quantile=0.5}") == 0);
  CHECK(reading.at("app_go_gc_duration_seconds_count_total{endpoint=pg}") == 0);
  CHECK(reading.at("app_process_cpu_seconds_total{endpoint=pg}") == 0.04);
  CHECK(reading.at("guest_web_requests_total{endpoint=web}") == 9);
  CHECK(reading.at("app_nginx_http_requests_total{endpoint=web}") == 9);
  CHECK(reading.at("app_nginx_connections_accepted_total{endpoint=web}") == 7);
  CHECK(reading.at("app_nginx_connections_active{endpoint=web}") == 1);
  CHECK(reading.at("guest_scrape_samples_left_out_total") == 0);
}

bool isTarget(std::string_view url) {
  return parseTarget(url).has_value();
}

TEST_CASE("nothing but this guest can be asked") {
  for (const char* right : {"http://127.0.0.1:9187/metrics", "http://localhost/m?x=1",
                            "http://[::1]:80/", "http://127.9.9.9:1/", "http://169.254.0.1:9/m",
                            "http://[fe80::1%lo]:9/m", "unix:/run/a.sock:/metrics"}) {
    CAPTURE(right);
    CHECK(isTarget(right));
  }
  for (const char* wrong : {"",
                            "127.0.0.1",
                            "https://127.0.0.1/m",
                            "http://10.0.0.1/m",
                            "http://192.168.0.1:1/m",
                            "http://host/m",
                            "http://0.0.0.0:1/m",
                            "http://[::]:1/m",
                            "http://[::ffff:10.0.0.1]:1/m",
                            "http://[fe80::1]:9/m",
                            "http://[::1%lo]:9/m",
                            "http://user@127.0.0.1/m",
                            "http://127.0.0.1:0/m",
                            "http://127.0.0.1:65536/m",
                            "http://127.0.0.1:80",
                            "http://127.0.0.1:80:80/m",
                            "http://[127.0.0.1]/m",
                            "http://::1/m",
                            "http://[::1/m",
                            "http://127.0.0.1/a b",
                            "http://127.0.0.1/a\r\nX: y",
                            "http:///m",
                            "unix:run/a:/m",
                            "unix:/run/a",
                            "unix:/run/a:m"}) {
    CAPTURE(wrong);
    CHECK_FALSE(isTarget(wrong));
  }
  CHECK_FALSE(isTarget("unix:/" + std::string(107, 'a') + ":/m"));
  CHECK_FALSE(isTarget("http://127.0.0.1/" + std::string(600, 'a')));
  CHECK(parseTarget("http://10.0.0.1/m").error().starts_with("is not of this machine alone"));
}

TEST_CASE("a link-local address is asked only where it is this guest's own") {
  const auto other = parseTarget("http://169.254.169.254/latest/meta-data/");
  REQUIRE(other);
  const auto connected = connectTo(*other);
  REQUIRE_FALSE(connected);
  CHECK(connected.error() == "the address is not of this guest");
  CHECK(connectTo(*parseTarget("http://[fe80::1%none7]:9/m")).error() ==
        "there is no interface none7");
}

}  // namespace
}  // namespace virtseer::agent
