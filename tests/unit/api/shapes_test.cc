#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "api/handlers.h"
#include "api/json.h"
#include "api/router.h"
#include "base/text.h"
#include "fake_backend.h"
#include "openapi_fit.h"
#include "virtseer/version.h"

using namespace virtseer;
using namespace virtseer::api;

namespace {

Json seriesList(const SeriesAnswer& answer) {
  ListBody list;
  for (const auto& series : answer.series) {
    std::string& out = list.open();
    openSeries(out, series);
    for (std::size_t i = 0; i < series.points.size(); ++i)
      appendPoint(out, series.points[i], i == 0);
    closeSeries(out);
  }
  return Json::parse(list.finish(",\"truncated\":true,\"damaged_chunks\":3", std::nullopt));
}

Json list(const Json& item) {
  ListBody body;
  body.add(item);
  return Json::parse(body.finish(std::nullopt));
}

bool anyNumber(const Json& value) {
  if (value.is_structured())
    return std::any_of(value.begin(), value.end(),
                       [](const Json& each) { return anyNumber(each); });
  return value.is_number();
}

}  // namespace

TEST_CASE("the routes and the OpenAPI file list the same operations with the same parameters") {
  std::map<std::string, std::set<std::string>> served;
  std::map<std::string, std::string> ids;
  for (const auto& route : routes()) {
    const auto key = std::string(route.method) + " " + std::string(route.pattern);
    ids[key] = route.name;
    for (const auto& parameter : route.query) served[key].insert(std::string(parameter.name));
    served[key];
  }
  CHECK(served == file().operations);
  CHECK(ids == file().ids);
  std::vector<std::string> order;
  for (const auto& route : routes()) order.emplace_back(route.name);
  CHECK(order == file().order);
  CHECK(file().version == kVersion);
}

TEST_CASE("every route has exactly one handler") {
  for (const auto& route : routes()) CHECK((route.at_once != nullptr) != (route.later != nullptr));
}

TEST_CASE("bodies of a full and of an empty backend have exactly the members of their schemas") {
  for (const auto& backend : {FakeBackend::filled(), FakeBackend::empty()}) {
    fits(list(hostJson(backend.known_hosts[0])), "HostList");
    fits(list(hostJson(FakeBackend::peer())), "HostList");
    fits(list(vmJson(backend.known_vms[0])), "VmList");
    fits(healthJson(backend.state), "Health");
    fits(list(eventJson(backend.known_events[0], "web")), "EventList");
    fits(list(seriesNameJson(backend.known_series[0])), "SeriesNameList");
    fits(list(latestJson(backend.known_values[0])), "LatestList");
    fits(seriesList(backend.answer), "SeriesList");
    fits(problemJson(Problem{404, "not_found", "no", {}}, "1"), "Problem");
    fits(Json{{"id", 7}}, "LoadAccepted");
  }
}

TEST_CASE("what is not known is null and never 0") {
  const auto backend = FakeBackend::empty();
  const Json vm = vmJson(backend.known_vms[0]);
  for (const auto& [key, value] : vm["usage"].items())
    if (key != "window_seconds") CHECK(value.is_null());
  for (const char* key : {"vcpus", "vcpus_maximum", "memory_bytes", "memory_maximum_bytes",
                          "balloon_period_seconds", "last_seen", "host_uuid", "host_name"})
    CHECK(vm[key].is_null());
  for (const char* key : {"epoch", "sequence", "interval_ms", "last_echo", "version"})
    CHECK(vm["agent"][key].is_null());
  const Json host = hostJson(backend.known_hosts[0]);
  CHECK_FALSE(anyNumber(host["capacity"]));
  CHECK(host["cpus_online"].is_null());
  CHECK(host["usage"]["cpu_cores"].is_null());
  CHECK(latestJson(backend.known_values[0])["value"].is_null());
}

TEST_CASE("a number that JSON cannot say becomes null") {
  for (const double value : {std::numeric_limits<double>::infinity(), kMissing}) {
    std::string out;
    appendNumber(out, value);
    CHECK(out == "null");
  }
  VmView view;
  view.usage.cpu_cores = std::numeric_limits<double>::infinity();
  CHECK(vmJson(view)["usage"]["cpu_cores"].is_null());
}

TEST_CASE("points are written so that they read back exactly") {
  Series series;
  const double values[] = {0.1, 1e300, -0.0, 5e-324, 123456789.125, 1};
  Timestamp time = at("1999-12-31T23:59:59.999Z");
  for (const double value : values) series.points.push_back({time += Millis(1), value});
  const Json body = seriesList({{series}, false, 0});
  const auto& points = body["items"][0]["points"];
  REQUIRE(points.size() == std::size(values));
  for (std::size_t i = 0; i < points.size(); ++i) {
    CHECK(points[i]["value"].get<double>() == values[i]);
    CHECK(points[i]["time"] == rfc3339(series.points[i].time));
  }
}

TEST_CASE("hostile names stay inside their strings as UTF-8") {
  VmView view;
  view.vm.name = "a\"},\n\x01\xff\xc0<script>";
  const auto body = text(vmJson(view));
  CHECK(isUtf8(body));
  CHECK(body.find('\n') == body.size() - 1);
  CHECK(Json::parse(body)["name"] == "a\"},\n\x01\xEF\xBF\xBD\xEF\xBF\xBD<script>");
}

TEST_CASE("each code has its status") {
  const std::map<Code, unsigned> expected{
      {Code::invalid, 400},     {Code::not_found, 404}, {Code::refused, 403},
      {Code::unreachable, 503}, {Code::timeout, 504},   {Code::busy, 503},
      {Code::full, 507},        {Code::corrupt, 500},   {Code::unsupported, 501},
      {Code::cancelled, 500},   {Code::failed, 500}};
  for (const auto& [code, status] : expected) {
    const auto response = toResponse(problem({code, "why"}), "id-1");
    CHECK(response.status == status);
    CHECK(response.content_type == kProblemType);
    const auto body = Json::parse(response.body);
    fits(body, "Problem");
    CHECK(body["code"] == name(code));
    CHECK(body["request_id"] == "id-1");
    CHECK(file().schemas.at("Problem").properties.size() == 6);
  }
  const auto busy = problem({Code::busy, ""});
  CHECK(busy.headers == Headers{{"Retry-After", "1"}});
}
