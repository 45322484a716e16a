#include "api/handlers.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "api/json.h"
#include "api/metrics.h"
#include "api/target.h"
#include "base/text.h"

namespace virtseer::api {

namespace asio = boost::asio;

namespace {

/// How long a value may be old and still stand in /metrics.
constexpr Millis kStaleAfter = std::chrono::minutes(5);

Result<HostView> findHost(Backend& backend, const std::string& key) {
  const auto uuid = Uuid::parse(key);
  std::vector<HostView> found;
  for (auto& view : backend.hosts())
    if (uuid && !uuid->isNil() ? view.host.uuid == *uuid
                               : view.host.name == key || (!view.peer.empty() && view.peer == key))
      found.push_back(std::move(view));
  if (found.empty())
    return fail(Code::not_found,
                fmt::format("no host has the UUID or name \"{}\"", printable(key)));
  if (found.size() > 1) {
    std::string uuids;
    for (const auto& view : found) uuids += " " + view.host.uuid.text();
    return fail(Code::invalid, fmt::format("several hosts are named \"{}\"; give a UUID:{}",
                                           printable(key), uuids));
  }
  return std::move(found.front());
}

asio::awaitable<Outcome> latest(Api api, Result<Uuid> entity) {
  if (!entity) co_return refuse(entity.error());
  const auto values = api.backend.latest(entity->text());
  if (!values) co_return refuse(values.error());
  ListBody list;
  for (const auto& value : *values) {
    list.add(latestJson(value));
    if (list.due()) co_await breathe();
  }
  co_return ok(list.finish(std::nullopt));
}

asio::awaitable<DecisionsInput> decisionsInput(Api api, std::vector<VmView> vms) {
  DecisionsInput out{.counts = api.decisions.counts(),
                     .automation = api.decisions.automation().on,
                     .maintenance = api.decisions.maintenance(),
                     .plan = api.decisions.plan(),
                     .forecasts = {}};
  for (const auto& view : vms) {
    if (auto answer = api.decisions.forecast(view.vm.uuid.text()))
      out.forecasts.push_back(std::move(*answer));
    co_await breathe();
  }
  co_return out;
}

}  // namespace

Response ok(std::string body) {
  return {200, std::string(kJsonType), std::move(body), {}};
}

asio::awaitable<void> breathe() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

Result<Uuid> ownHostUuid(Backend& backend, const std::string& key) {
  const auto host = findHost(backend, key);
  if (!host) return fail(host.error());
  if (!host->host.self)
    return fail(Code::not_found,
                fmt::format("series of {} are kept by the daemon there: ask that one",
                            printable(host->host.name)));
  return host->host.uuid;
}

Result<Uuid> vmUuid(Backend& backend, const std::string& key) {
  const auto view = backend.vm(key);
  if (!view) return fail(view.error());
  return view->vm.uuid;
}

Outcome listHosts(Api api, const Request&) {
  ListBody list;
  for (const auto& view : api.backend.hosts()) list.add(hostJson(view));
  return ok(list.finish(std::nullopt));
}

Outcome getHost(Api api, const Request& request) {
  const auto host = findHost(api.backend, request.path[0]);
  if (!host) return refuse(host.error());
  return ok(text(hostJson(*host)));
}

asio::awaitable<Outcome> getHostLatest(Api api, Request request) {
  co_return co_await latest(api, ownHostUuid(api.backend, request.path[0]));
}

asio::awaitable<Outcome> listVms(Api api, Request request) {
  const auto gone = flag(request.query, "gone");
  if (!gone) co_return refuse(gone.error());
  const auto views = api.backend.vms(*gone);
  ListBody list;
  for (const auto& view : views) {
    list.add(vmJson(view));
    if (list.due()) co_await breathe();
  }
  co_return ok(list.finish(std::nullopt));
}

Outcome getVm(Api api, const Request& request) {
  const auto view = api.backend.vm(request.path[0]);
  if (!view) return refuse(view.error());
  return ok(text(vmJson(*view)));
}

asio::awaitable<Outcome> getVmLatest(Api api, Request request) {
  co_return co_await latest(api, vmUuid(api.backend, request.path[0]));
}

Outcome getHealth(Api api, const Request&) {
  return ok(text(healthJson(api.backend.health())));
}

Outcome getOpenapi(Api, const Request&) {
  return Response{200, "application/yaml", std::string(openapiText()), {}};
}

asio::awaitable<Outcome> getMetrics(Api api, Request) {
  MetricsInput input;
  input.now = api.clock.wall();
  input.stale_after = kStaleAfter;
  for (const Uuid entity : api.backend.entities()) {
    auto values = api.backend.latest(entity.text());
    if (!values) continue;  // it went while others were read
    std::move(values->begin(), values->end(), std::back_inserter(input.values));
    co_await breathe();
  }
  input.vms = api.backend.vms(false);
  input.health = api.backend.health();
  input.decisions = co_await decisionsInput(api, input.vms);
  Backend* backend = &api.backend;
  input.entity_name = [backend](Uuid entity) { return backend->entityName(entity); };
  MetricsText metrics(std::move(input));
  while (metrics.step(500)) co_await breathe();
  co_return Response{200, std::string(kMetricsType), metrics.take(), {}};
}

Outcome getHealthz(Api api, const Request&) {
  const auto health = api.backend.health();
  if (health.problems.empty()) return Response{200, std::string(kTextType), "ok\n", {}};
  std::string body;
  for (const auto& problem : health.problems) body += printable(problem) + "\n";
  return Response{503, std::string(kTextType), std::move(body), {}};
}

}  // namespace virtseer::api
