#include "api/metrics.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "api/metric_catalogue.h"
#include "decisions_samples.h"
#include "fake_backend.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {

const Timestamp kNow = at("2026-01-31T08:05:10.000Z");
constexpr const char* kHostileName = "we\"b\\\n} 1\n# TYPE x counter\xff";

MetricsInput inputOf(FakeBackend& backend) {
  MetricsInput input;
  input.now = kNow;
  input.values = backend.known_values;
  input.vms = backend.vms(false);
  input.health = backend.health();
  input.entity_name = [&backend](Uuid entity) { return backend.entityName(entity); };
  return input;
}

DecisionsInput decisionsOf(test::FakeDecisions decisions) {
  return {.counts = decisions.counts(),
          .automation = decisions.automation().on,
          .maintenance = decisions.maintenance(),
          .plan = decisions.plan(),
          .forecasts = {decisions.known_forecast}};
}

LatestView value(Source source, const std::string& metric, Kind kind, Labels labels = {},
                 double number = 1) {
  return {{source == Source::host ? uuidOf(1) : uuidOf(2), source},
          {metric, std::move(labels), kind},
          kNow,
          number};
}

/// What `promtool check metrics` says to the text; empty if it is content.
std::string promtoolSays(const std::string& text) {
  const std::string base = "/tmp/virtseer_metrics_" + std::to_string(getpid());
  std::ofstream(base + ".in") << text;
  const std::string command = "promtool check metrics < " + base + ".in > " + base +
                              ".out 2>&1; echo \"exit $?\" >> " + base + ".out";
  REQUIRE(std::system(command.c_str()) == 0);
  std::ifstream out(base + ".out");
  std::stringstream said;
  said << out.rdbuf();
  unlink((base + ".in").c_str());
  unlink((base + ".out").c_str());
  return said.str() == "exit 0\n" ? "" : said.str();
}

std::size_t count(const std::string& text, const std::string& piece) {
  std::size_t found = 0;
  for (auto at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("promtool is content with every metric of the catalogue and a hostile VM name") {
  auto backend = FakeBackend::filled();
  backend.known_vms[0].vm.name = kHostileName;
  backend.known_vms.push_back(backend.known_vms[0]);
  backend.known_vms[1].vm.uuid = uuidOf(3);
  backend.known_values.clear();
  for (const auto& info : metricCatalogue()) {
    const Source source = info.metric.starts_with("host_")      ? Source::host
                          : info.metric.starts_with("libvirt_") ? Source::libvirt
                                                                : Source::guest;
    backend.known_values.push_back(value(source, std::string(info.metric), info.kind));
    backend.known_values.push_back(
        value(source, std::string(info.metric), info.kind, {{"device", kHostileName}}, 1e-9));
  }
  const auto text = metricsText(inputOf(backend));
  CHECK(promtoolSays(text) == "");
  CHECK(count(text, "# HELP virtseer_guest_cpu_seconds_total ") == 1);
  CHECK(count(text, "# TYPE virtseer_guest_cpu_seconds_total counter\n") == 1);
  CHECK(count(text, "Not described") == 0);
  CHECK(text.find("virtseer_exposition_skipped_series 0\n") != std::string::npos);
}

TEST_CASE("promtool is content with an empty daemon") {
  FakeBackend backend;
  CHECK(promtoolSays(metricsText(inputOf(backend))) == "");
}

TEST_CASE("promtool does complain where there is something wrong") {
  CHECK(promtoolSays("# HELP x y\n# TYPE x counter\nx 1\n") != "");
}

TEST_CASE("samples carry the VM's name and UUID, those of a host its own") {
  auto backend = FakeBackend::filled();
  backend.known_values = {
      value(Source::guest, "guest_load1", Kind::gauge, {}, 0.25),
      value(Source::libvirt, "libvirt_domain_info_virtual_cpus", Kind::gauge, {}, 2),
      value(Source::guest, "echo_sequence", Kind::gauge, {}, 7),
      value(Source::host, "host_load1", Kind::gauge, {}, 3)};
  const auto text = metricsText(inputOf(backend));
  const std::string vm = "{domain=\"web\",uuid=\"" + uuidOf(2).text() + "\"} ";
  CHECK(count(text, "\nvirtseer_guest_load1" + vm + "0.25\n") == 1);
  CHECK(count(text, "\nlibvirt_domain_info_virtual_cpus" + vm + "2\n") == 1);
  CHECK(count(text, "\nvirtseer_echo_sequence" + vm + "7\n") == 1);
  CHECK(count(text,
              "\nvirtseer_host_load1{host=\"alpha\",uuid=\"" + uuidOf(1).text() + "\"} 3\n") == 1);
  CHECK(count(text, "\nvirtseer_agent_connected" + vm + "1\n") == 1);
  CHECK(count(text, "\nvirtseer_environment_connected{uri=\"qemu:///system\"} 1\n") == 1);
}

TEST_CASE("stale and missing values are left out") {
  auto backend = FakeBackend::filled();
  backend.known_values = {value(Source::guest, "guest_load1", Kind::gauge),
                          value(Source::guest, "guest_uptime_seconds", Kind::gauge, {}, kMissing)};
  backend.known_values[0].time = kNow - std::chrono::minutes(6);
  const auto text = metricsText(inputOf(backend));
  CHECK(count(text, "virtseer_guest_") == 0);
}

TEST_CASE("a guest can speak neither for the daemon nor for libvirt, and breaks no line") {
  auto backend = FakeBackend::filled();
  backend.known_values = {
      value(Source::guest, "libvirt_domain_info_virtual_cpus", Kind::gauge),
      value(Source::guest, "build_info", Kind::gauge),
      value(Source::guest, "echo_lost_total", Kind::counter),
      value(Source::guest, "guest_x\n", Kind::gauge),
      value(Source::guest, "guest_Camel", Kind::gauge),
      value(Source::guest, "", Kind::gauge),
      value(Source::guest, "guest_x_bucket", Kind::counter, {{"le", "1"}}),
      value(Source::guest, "guest_x", Kind::gauge, {{"quantile", "0.5"}}),
      value(Source::guest, "guest_x", Kind::gauge, {{"exported_job", "a"}}),
      value(Source::guest, "guest_twice", Kind::gauge, {{"host", "a"}, {"exported_host", "b"}}),
      value(Source::guest, "guest_label", Kind::gauge, {{"__a", "1"}}),
      value(Source::guest, "guest_label", Kind::gauge, {{"a b", "1"}}),
      value(Source::guest, "guest_own", Kind::gauge, {{"domain", "other"}})};
  const auto text = metricsText(inputOf(backend));
  CHECK(promtoolSays(text) == "");
  CHECK(count(text, "\nlibvirt_domain_") == 0);
  CHECK(count(text, "\nvirtseer_guest_libvirt_domain_info_virtual_cpus{") == 1);
  CHECK(count(text, "\nvirtseer_build_info{version=") == 1);
  CHECK(count(text, "\nvirtseer_guest_build_info{") == 1);
  CHECK(count(text, "\nvirtseer_guest_echo_lost_total{") == 1);
  CHECK(count(text, ",exported_domain=\"other\"} 1\n") == 1);
  CHECK(count(text, "\nvirtseer_guest_x_bucket{") == 1);
  CHECK(count(text, ",exported_le=\"1\"} 1\n") == 1);
  CHECK(count(text, ",exported_quantile=\"0.5\"} 1\n") == 1);
  CHECK(count(text, ",exported_job=\"a\"} 1\n") == 1);
  CHECK(count(text, "\nvirtseer_exposition_skipped_series 6\n") == 1);
}

TEST_CASE("a series that comes twice and one of two kinds do no harm") {
  auto backend = FakeBackend::filled();
  backend.known_values = {value(Source::guest, "guest_odd", Kind::gauge),
                          value(Source::guest, "guest_odd", Kind::gauge),
                          value(Source::guest, "guest_odd", Kind::counter, {{"a", "1"}}),
                          value(Source::guest, "guest_count", Kind::counter),
                          value(Source::guest, "guest_level_total", Kind::gauge)};
  const auto text = metricsText(inputOf(backend));
  CHECK(promtoolSays(text) == "");
  CHECK(count(text, "\nvirtseer_guest_odd{") == 2);
  CHECK(count(text, "# TYPE virtseer_guest_odd untyped\n") == 1);
}

TEST_CASE("more families than the bound are left out and counted") {
  auto backend = FakeBackend::filled();
  backend.known_values.clear();
  for (std::size_t i = 0; i < kMaxFamilies + 10; ++i)
    backend.known_values.push_back(
        value(Source::guest, "guest_n" + std::to_string(i), Kind::gauge));
  const auto text = metricsText(inputOf(backend));
  CHECK(count(text, "\nvirtseer_exposition_skipped_series 10\n") == 1);
}

TEST_CASE("small steps write the same text as one") {
  auto backend = FakeBackend::filled();
  for (int i = 0; i < 50; ++i)
    backend.known_values.push_back(value(Source::guest, "guest_m" + std::to_string(i % 7),
                                         Kind::gauge, {{"i", std::to_string(i)}}));
  MetricsText slow(inputOf(backend));
  int steps = 0;
  while (slow.step(3)) ++steps;
  CHECK(steps > 17);
  CHECK(slow.take() == metricsText(inputOf(backend)));
}

TEST_CASE("every metric of the catalogue is found, with help of one line") {
  for (const auto& info : metricCatalogue()) {
    CHECK(findMetric(info.metric) == &info);
    CHECK_FALSE(info.help.empty());
    CHECK(info.help.find_first_of("\n\\") == std::string_view::npos);
  }
  CHECK(findMetric("guest_unheard_of") == nullptr);
}

TEST_CASE("what is foreseen, decided and done is told, and promtool is content with it") {
  auto backend = FakeBackend::filled();
  auto input = inputOf(backend);
  input.decisions = decisionsOf(filledDecisions());
  input.decisions->forecasts[0].vm_name = kHostileName;
  input.decisions->plan->hosts[0].name = kHostileName;
  CHECK(promtoolSays(metricsText(input)) == "");

  input.decisions = decisionsOf(filledDecisions());
  const auto text = metricsText(input);
  const std::string vm =
      "{domain=\"web\",uuid=\"" + uuidOf(2).text() + "\",horizon_seconds=\"900\",";
  for (const std::string line :
       {"virtseer_automation_on 0", "virtseer_host_maintenance 0", "virtseer_plan_rounds_total 2",
        "virtseer_plans_total 1", "virtseer_forecasts_scored_total 6",
        "virtseer_forecast_points_dropped_total 7", "virtseer_operations_active 8",
        "virtseer_operations_total{outcome=\"done\"} 3",
        "virtseer_operations_total{outcome=\"refused\"} 4",
        "virtseer_operations_total{outcome=\"failed\"} 5", "virtseer_peers 9",
        "virtseer_peers_silent 10", "virtseer_plan_steps{state=\"due\"} 0",
        "virtseer_plan_steps{state=\"holding\"} 1", "virtseer_plan_steps{state=\"waiting\"} 0"})
    CHECK(count(text, "\n" + line + "\n") == 1);
  CHECK(count(text, "\nvirtseer_forecast_cpu_cores" + vm +
                        "probability=\"0.95\",target=\"level\"} 2.25\n") == 1);
  CHECK(count(text, "\nvirtseer_forecast_cpu_cores" + vm +
                        "probability=\"0.99\",target=\"level\"} 3\n") == 1);
  CHECK(count(text, "\nvirtseer_host_contention_probability{host=\"alpha\",uuid=\"" +
                        uuidOf(1).text() + "\"} 0.91\n") == 1);
}

TEST_CASE("what is not foreseen any more, or was never promised, is left out") {
  auto backend = FakeBackend::filled();
  auto input = inputOf(backend);
  input.decisions = decisionsOf(filledDecisions());
  const auto text = metricsText(input);
  // The highest demand has no 0.99 yet, and beta is silent.
  CHECK(count(text, "probability=\"0.99\"") == 1);
  CHECK(count(text, "host=\"beta\"") == 0);
  input.decisions->forecasts[0].forecasts[0].forecast.made = kNow - std::chrono::minutes(6);
  input.decisions->plan.reset();
  const auto later = metricsText(input);
  CHECK(count(later, "virtseer_forecast_cpu_cores") == 0);
  CHECK(count(later, "virtseer_plan_steps") == 0);
  CHECK(count(later, "virtseer_host_contention_probability") == 0);
}

TEST_CASE("many forecasts are written in small steps, as in one") {
  auto backend = FakeBackend::filled();
  auto input = inputOf(backend);
  input.decisions = decisionsOf(filledDecisions());
  for (std::uint8_t i = 3; i < 40; ++i) {
    auto& added = input.decisions->forecasts.emplace_back(sampleForecast());
    added.vm = uuidOf(i);
  }
  MetricsText slow(input);
  int steps = 0;
  while (slow.step(1)) ++steps;
  CHECK(steps > 38);
  CHECK(slow.take() == metricsText(input));
}
