#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/body.h"
#include "api/handlers.h"
#include "api/json.h"
#include "api/target.h"
#include "base/text.h"

namespace virtseer::api {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t kMaxPoints = 100'000;
constexpr std::uint64_t kMaxEvents = 1000;
constexpr std::uint64_t kUsualEvents = 100;
constexpr std::size_t kMaxText = 128;
constexpr Millis kUsualWindow = std::chrono::hours(1);

Result<void> readLabels(const Query& query, Labels& labels) {
  for (const auto& [key, value] : query) {
    if (key != "label") continue;
    const auto colon = value.find(':');
    if (colon == std::string::npos || colon == 0)
      return fail(Code::invalid,
                  fmt::format("label={}: must be key:value, such as label=device:vda",
                              printable(value.substr(0, kMaxText))));
    if (!labels.emplace(value.substr(0, colon), value.substr(colon + 1)).second)
      return fail(Code::invalid, fmt::format("label {} is given twice; give it once",
                                             printable(value.substr(0, colon))));
  }
  if (labels.size() > echo::kMaxLabels)
    return fail(Code::invalid,
                fmt::format("more than {} labels; no series has so many", echo::kMaxLabels));
  return {};
}

Result<void> readSource(const Query& query, std::optional<Source>& source) {
  const auto given = parameter(query, "source");
  if (!given) return {};
  source = parseSource(*given);
  if (!source) return fail(Code::invalid, "source: must be guest, libvirt or host");
  return {};
}

/// Step and aggregation belong together: a step alone means the mean.
Result<void> readSteps(const Query& query, SeriesQuery& out) {
  const auto step = parameter(query, "step");
  const auto aggregation = parameter(query, "aggregation");
  if (step) {
    const auto span = parseDuration(*step);
    if (!span || *span <= Millis(0))
      return fail(Code::invalid, "step: must be a span such as 250ms, 5s, 1m, 1h");
    out.step = *span;
    out.aggregation = Aggregation::mean;
  }
  if (aggregation) {
    const auto known = parseAggregation(*aggregation);
    if (!known)
      return fail(
          Code::invalid,
          "aggregation: must be none, mean, min, max, last, sum, count, p50, p95, p99, rate or "
          "increase");
    if (step && *known == Aggregation::none)
      return fail(Code::invalid, "aggregation=none gives every point; leave step away");
    out.aggregation = *known;
  }
  if (out.step > Millis(0) && (out.to - out.from) / out.step >= static_cast<long>(kMaxPoints))
    return fail(
        Code::invalid,
        fmt::format("from, to and step make more than {} steps; take a longer step", kMaxPoints));
  return {};
}

asio::awaitable<Outcome> names(Api api, Request request, Uuid entity) {
  if (!request.query.empty())
    co_return refuse(
        Error{Code::invalid,
              "metric is missing: give it for points, or no parameter at all for the names"});
  const auto found = api.backend.seriesNames(entity.text());
  if (!found) co_return refuse(found.error());
  ListBody list;
  for (const auto& view : *found) {
    list.add(seriesNameJson(view));
    if (list.due()) co_await breathe();
  }
  co_return ok(list.finish(std::nullopt));
}

asio::awaitable<Outcome> series(Api api, Request request, Result<Uuid> entity) {
  if (!entity) co_return refuse(entity.error());
  if (!parameter(request.query, "metric"))
    co_return co_await names(api, std::move(request), *entity);
  auto query = parseSeriesQuery(request.query, api.clock.wall());
  if (!query) co_return refuse(query.error());
  const auto answer = co_await api.backend.series(entity->text(), std::move(*query));
  if (!answer) co_return refuse(answer.error());
  ListBody list;
  for (const Series& each : answer->series) {
    std::string& out = list.open();
    openSeries(out, each);
    for (std::size_t i = 0; i < each.points.size(); ++i) {
      appendPoint(out, each.points[i], i == 0);
      if (list.due()) co_await breathe();
    }
    closeSeries(out);
  }
  co_return ok(list.finish(fmt::format(",\"truncated\":{},\"damaged_chunks\":{}", answer->truncated,
                                       answer->damaged_chunks),
                           std::nullopt));
}

asio::awaitable<Outcome> events(Api api, EventFilter filter) {
  const auto found = co_await api.backend.events(std::move(filter));
  if (!found) co_return refuse(found.error());
  ListBody list;
  for (const Event& event : found->events) {
    list.add(
        eventJson(event, event.entity ? api.backend.entityName(*event.entity) : std::string()));
    if (list.due()) co_await breathe();
  }
  std::optional<std::string> next;
  if (found->next) next = std::to_string(*found->next);
  co_return ok(list.finish(next));
}

/// Takes one whole number out of an order.
std::optional<Problem> takeCount(const Json& body, const char* key, std::uint64_t most,
                                 std::uint64_t& out) {
  const auto found = body.find(key);
  if (found == body.end()) return std::nullopt;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > most)
    return badBody(fmt::format("{}: must be a whole number from 0 to {}", key, most));
  out = found->get<std::uint64_t>();
  return std::nullopt;
}

std::optional<Problem> takeCores(const Json& body, double& out) {
  constexpr double kMostCores = 4096;
  const auto found = body.find("cpu_cores");
  if (found == body.end()) return std::nullopt;
  if (!found->is_number() || !(found->get<double>() >= 0 && found->get<double>() <= kMostCores))
    return badBody(fmt::format("cpu_cores: must be a number from 0 to {}", kMostCores));
  out = found->get<double>();
  return std::nullopt;
}

constexpr std::array<std::string_view, 5> kOrderKeys{
    "cpu_cores", "memory_bytes", "disk_bytes_per_second", "ramp_ms", "duration_ms"};

std::expected<LoadOrder, Problem> readOrder(const Json& body) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 40;
  constexpr std::uint64_t kMostMillis = 86'400'000;
  LoadOrder out;
  std::uint64_t ramp = 0, duration = 0;
  if (auto bad = takeCores(body, out.cpu_cores)) return refuse(*bad);
  if (auto bad = takeCount(body, "memory_bytes", kMostBytes, out.memory_bytes)) return refuse(*bad);
  if (auto bad = takeCount(body, "disk_bytes_per_second", kMostBytes, out.disk_bytes_per_second))
    return refuse(*bad);
  if (auto bad = takeCount(body, "ramp_ms", kMostMillis, ramp)) return refuse(*bad);
  if (auto bad = takeCount(body, "duration_ms", kMostMillis, duration)) return refuse(*bad);
  if (!body.contains("duration_ms"))
    return refuse(badBody("duration_ms is missing; an order must have an end"));
  const bool works = out.cpu_cores > 0 || out.memory_bytes > 0 || out.disk_bytes_per_second > 0;
  if (duration == 0 && (works || ramp > 0))
    return refuse(badBody("duration_ms: 0 ends what runs, and then all else must be 0 too"));
  if (ramp > duration) return refuse(badBody("ramp_ms: must be at most duration_ms"));
  out.ramp = Millis(static_cast<std::int64_t>(ramp));
  out.duration = Millis(static_cast<std::int64_t>(duration));
  return out;
}

}  // namespace

Result<SeriesQuery> parseSeriesQuery(const Query& query, Timestamp now) {
  SeriesQuery out;
  out.metric = parameter(query, "metric").value_or("");
  if (out.metric.empty() || out.metric.size() > echo::kMaxNameBytes)
    return fail(Code::invalid,
                fmt::format("metric: must be a name of 1 to {} bytes", echo::kMaxNameBytes));
  if (auto read = readLabels(query, out.labels); !read) return fail(read.error());
  if (auto read = readSource(query, out.source); !read) return fail(read.error());
  const auto from = moment(query, "from", now);
  if (!from) return fail(from.error());
  const auto to = moment(query, "to", now);
  if (!to) return fail(to.error());
  out.to = to->value_or(now);
  out.from = from->value_or(out.to - kUsualWindow);
  if (out.from >= out.to) return fail(Code::invalid, "from must be before to");
  const auto limit = wholeNumber(query, "limit", 1, kMaxPoints, kMaxPoints);
  if (!limit) return fail(limit.error());
  out.limit = *limit;
  if (auto read = readSteps(query, out); !read) return fail(read.error());
  return out;
}

Result<EventFilter> parseEventFilter(const Query& query, Timestamp now) {
  EventFilter out;
  const auto from = moment(query, "from", now);
  if (!from) return fail(from.error());
  const auto to = moment(query, "to", now);
  if (!to) return fail(to.error());
  out.from = *from;
  out.to = *to;
  if (const auto severity = parameter(query, "severity")) {
    out.at_least = parseSeverity(*severity);
    if (!out.at_least) return fail(Code::invalid, "severity: must be info, warning or error");
  }
  out.kind_prefix = parameter(query, "kind").value_or("");
  if (out.kind_prefix.size() > kMaxText)
    return fail(Code::invalid, fmt::format("kind: must have at most {} bytes", kMaxText));
  const auto limit = wholeNumber(query, "limit", 1, kMaxEvents, kUsualEvents);
  if (!limit) return fail(limit.error());
  out.limit = *limit;
  const auto cursor = wholeNumber(query, "cursor", 0, UINT64_MAX, UINT64_MAX);
  if (!cursor) return fail(Code::invalid, "cursor: must be `next` of the page before");
  if (parameter(query, "cursor")) out.before_id = *cursor;
  return out;
}

std::expected<LoadOrder, Problem> parseLoadOrder(std::string_view content_type,
                                                 std::string_view body) {
  const auto json = readObject(content_type, body, kOrderKeys, "an order");
  if (!json) return refuse(json.error());
  return readOrder(*json);
}

asio::awaitable<Outcome> getHostSeries(Api api, Request request) {
  const auto entity = ownHostUuid(api.backend, request.path[0]);
  co_return co_await series(api, std::move(request), entity);
}

asio::awaitable<Outcome> getVmSeries(Api api, Request request) {
  const auto entity = vmUuid(api.backend, request.path[0]);
  co_return co_await series(api, std::move(request), entity);
}

asio::awaitable<Outcome> listEvents(Api api, Request request) {
  auto filter = parseEventFilter(request.query, api.clock.wall());
  if (!filter) co_return refuse(filter.error());
  if (const auto key = parameter(request.query, "entity")) {
    const auto entity = api.backend.entity(*key);
    if (!entity) co_return refuse(entity.error());
    filter->entity = *entity;
  }
  co_return co_await events(api, std::move(*filter));
}

asio::awaitable<Outcome> listVmEvents(Api api, Request request) {
  const auto entity = vmUuid(api.backend, request.path[0]);
  if (!entity) co_return refuse(entity.error());
  auto filter = parseEventFilter(request.query, api.clock.wall());
  if (!filter) co_return refuse(filter.error());
  filter->entity = *entity;
  co_return co_await events(api, std::move(*filter));
}

asio::awaitable<Outcome> loadVm(Api api, Request request) {
  const auto order = parseLoadOrder(request.content_type, request.body);
  if (!order) co_return refuse(order.error());
  const auto id = co_await api.backend.load(request.path[0], *order);
  if (!id) co_return refuse(id.error());
  co_return Response{202, std::string(kJsonType), text(Json{{"id", *id}}), {}};
}

}  // namespace virtseer::api
