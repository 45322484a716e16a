#include "api/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/handlers.h"
#include "api/target.h"
#include "base/text.h"

namespace virtseer::api {
namespace {

constexpr std::array<QueryParameter, 1> kVmsQuery{{{"gone"}}};
constexpr std::array<QueryParameter, 8> kSeriesQuery{{{"metric"},
                                                      {"label", true},
                                                      {"source"},
                                                      {"from"},
                                                      {"to"},
                                                      {"step"},
                                                      {"aggregation"},
                                                      {"limit"}}};
constexpr std::array<QueryParameter, 7> kEventsQuery{
    {{"entity"}, {"from"}, {"to"}, {"severity"}, {"kind"}, {"limit"}, {"cursor"}}};
/// A VM's own events: the same without `entity`.
constexpr std::span<const QueryParameter> kVmEventsQuery =
    std::span<const QueryParameter>(kEventsQuery).subspan(1);
constexpr std::array<QueryParameter, 3> kOperationsQuery{{{"active"}, {"vm"}, {"limit"}}};
constexpr std::array<QueryParameter, 1> kTableQuery{{{"at"}}};
constexpr std::span<const QueryParameter> kNoQuery;

/// A commit brings the moves of a VM, but none of its descriptions.
constexpr std::size_t kCommitBody = std::size_t{256} << 10;

const auto kRoutes = std::to_array<Route>({
    {"GET", "/api/v1/hosts", "listHosts", kNoQuery, &listHosts, nullptr},
    {"GET", "/api/v1/hosts/{host}", "getHost", kNoQuery, &getHost, nullptr},
    {"GET", "/api/v1/hosts/{host}/series", "getHostSeries", kSeriesQuery, nullptr, &getHostSeries},
    {"GET", "/api/v1/hosts/{host}/latest", "getHostLatest", kNoQuery, nullptr, &getHostLatest},
    {"POST", "/api/v1/hosts/{host}/maintenance", "setMaintenance", kNoQuery, nullptr,
     &setMaintenance},
    {"GET", "/api/v1/vms", "listVms", kVmsQuery, nullptr, &listVms},
    {"GET", "/api/v1/vms/{vm}", "getVm", kNoQuery, &getVm, nullptr},
    {"GET", "/api/v1/vms/{vm}/series", "getVmSeries", kSeriesQuery, nullptr, &getVmSeries},
    {"GET", "/api/v1/vms/{vm}/latest", "getVmLatest", kNoQuery, nullptr, &getVmLatest},
    {"GET", "/api/v1/vms/{vm}/events", "listVmEvents", kVmEventsQuery, nullptr, &listVmEvents},
    {"POST", "/api/v1/vms/{vm}/load", "loadVm", kNoQuery, nullptr, &loadVm},
    {"GET", "/api/v1/vms/{vm}/echo", "getVmEcho", kNoQuery, nullptr, &getVmEcho},
    {"GET", "/api/v1/vms/{vm}/tables/{name}", "getVmTable", kTableQuery, nullptr, &getVmTable},
    {"GET", "/api/v1/vms/{vm}/collection", "getCollection", kNoQuery, &getCollection, nullptr},
    {"POST", "/api/v1/vms/{vm}/collection", "setCollection", kNoQuery, nullptr, &setCollection},
    {"GET", "/api/v1/vms/{vm}/forecast", "getForecast", kNoQuery, &getForecast, nullptr},
    {"GET", "/api/v1/vms/{vm}/ranking", "getRanking", kNoQuery, nullptr, &getRanking},
    {"GET", "/api/v1/vms/{vm}/policy", "getPolicy", kNoQuery, &getPolicy, nullptr},
    {"POST", "/api/v1/vms/{vm}/migrate", "migrateVm", kNoQuery, nullptr, &migrateVm},
    {"GET", "/api/v1/plan", "getPlan", kNoQuery, &getPlan, nullptr},
    {"GET", "/api/v1/explanations/{id}", "getExplanation", kNoQuery, &getExplanation, nullptr},
    {"GET", "/api/v1/automation", "getAutomation", kNoQuery, &getAutomation, nullptr},
    {"POST", "/api/v1/automation", "setAutomation", kNoQuery, nullptr, &setAutomation},
    {"GET", "/api/v1/operations", "listOperations", kOperationsQuery, nullptr, &listOperations},
    {"GET", "/api/v1/operations/{id}", "getOperation", kNoQuery, &getOperation, nullptr},
    {"POST", "/api/v1/operations/{id}/abort", "abortOperation", kNoQuery, nullptr, &abortOperation},
    {"GET", "/api/v1/fleet/state", "getFleetState", kNoQuery, nullptr, &getFleetState},
    {"GET", "/api/v1/fleet/vms/{uuid}", "getFleetVm", kNoQuery, nullptr, &getFleetVm},
    {"POST", "/api/v1/reservations", "reserve", kNoQuery, nullptr, &reserve, kLargestBody},
    {"POST", "/api/v1/reservations/{operation}/renew", "renewReservation", kNoQuery,
     &renewReservation, nullptr},
    {"POST", "/api/v1/reservations/{operation}/release", "releaseReservation", kNoQuery, nullptr,
     &releaseReservation},
    {"POST", "/api/v1/reservations/{operation}/commit", "commitReservation", kNoQuery, nullptr,
     &commitReservation, kCommitBody},
    {"POST", "/api/v1/reservations/{operation}/agent-token", "takeAgentToken", kNoQuery, nullptr,
     &takeAgentToken},
    {"POST", "/api/v1/reservations/{operation}/revive", "reviveReservation", kNoQuery, nullptr,
     &reviveReservation},
    {"POST", "/api/v1/reservations/{operation}/return", "returnReservation", kNoQuery, nullptr,
     &returnReservation},
    {"GET", "/api/v1/events", "listEvents", kEventsQuery, nullptr, &listEvents},
    {"GET", "/api/v1/health", "getHealth", kNoQuery, &getHealth, nullptr},
    {"GET", "/api/v1/openapi.yaml", "getOpenapi", kNoQuery, &getOpenapi, nullptr},
    {"GET", "/metrics", "getMetrics", kNoQuery, nullptr, &getMetrics},
    {"GET", "/healthz", "getHealthz", kNoQuery, &getHealthz, nullptr},
    {"POST", "/api/v1/vms/{vm}/enroll", "enrollVm", kNoQuery, nullptr, &enrollVm},
    {"GET", "/api/v1/doctor", "getDoctor", kNoQuery, nullptr, &getDoctor},
});

/// True if the path fits the pattern; `values` then holds what stands for its placeholders.
bool fits(std::string_view pattern, const std::vector<std::string>& path,
          std::vector<std::string>& values) {
  values.clear();
  pattern.remove_prefix(1);
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto slash = pattern.find('/');
    const bool last = slash == std::string_view::npos;
    const auto segment = pattern.substr(0, slash);
    if (last != (i + 1 == path.size())) return false;
    if (segment.starts_with('{')) {
      if (path[i].empty()) return false;
      values.push_back(path[i]);
    } else if (segment != path[i]) {
      return false;
    }
    if (!last) pattern.remove_prefix(slash + 1);
  }
  return true;
}

Problem invalid(std::string detail) {
  return problem({Code::invalid, std::move(detail)});
}

std::string takes(const Route& route) {
  if (route.query.empty()) return "this path takes none";
  std::string out = "this path takes";
  for (const auto& known : route.query) out += fmt::format(" {}", known.name);
  return out;
}

/// Refuses parameters that the route does not know and those that come twice.
std::optional<Problem> wrongParameters(const Route& route, const Query& query) {
  for (std::size_t i = 0; i < query.size(); ++i) {
    const auto& key = query[i].first;
    const auto known = std::find_if(route.query.begin(), route.query.end(),
                                    [&](const QueryParameter& each) { return each.name == key; });
    if (known == route.query.end())
      return invalid(fmt::format("unknown query parameter \"{}\"; {}", printable(key.substr(0, 80)),
                                 takes(route)));
    const auto same = [&](const auto& entry) { return entry.first == key; };
    if (!known->repeatable &&
        std::any_of(query.begin(), query.begin() + static_cast<long>(i), same))
      return invalid(fmt::format("query parameter {} is given twice; give it once", key));
  }
  return std::nullopt;
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

std::expected<Matched, Problem> match(std::string_view method, std::string_view raw) {
  auto target = parseTarget(raw);
  if (!target) return refuse(target.error());
  std::string allow;
  Matched out;
  for (const Route& route : kRoutes) {
    if (!fits(route.pattern, target->path, out.request.path)) continue;
    if (method != route.method && !(method == "HEAD" && route.method == "GET")) {
      allow += allow.empty() ? "" : ", ";
      allow += route.method == "GET" ? "GET, HEAD" : route.method;
      continue;
    }
    if (auto wrong = wrongParameters(route, target->query)) return refuse(std::move(*wrong));
    out.route = &route;
    out.request.query = std::move(target->query);
    return out;
  }
  if (allow.empty())
    return refuse(
        Error{Code::not_found, "there is no such path; /api/v1/openapi.yaml lists them all"});
  return refuse(Problem{405,
                        "method_not_allowed",
                        fmt::format("this path takes {} only", allow),
                        {{"Allow", allow}}});
}

}  // namespace virtseer::api
