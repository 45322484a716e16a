#pragma once

#include "api/router.h"

/// The handlers of the routes: parameters in, Backend or Decisions asked, JSON out. Nothing is
/// decided here. They are named as their operations in openapi.yaml.
namespace virtseer::api {

Outcome listHosts(Api api, const Request& request);
Outcome getHost(Api api, const Request& request);
boost::asio::awaitable<Outcome> getHostSeries(Api api, Request request);
boost::asio::awaitable<Outcome> getHostLatest(Api api, Request request);
boost::asio::awaitable<Outcome> listVms(Api api, Request request);
Outcome getVm(Api api, const Request& request);
boost::asio::awaitable<Outcome> getVmSeries(Api api, Request request);
boost::asio::awaitable<Outcome> getVmLatest(Api api, Request request);
boost::asio::awaitable<Outcome> listVmEvents(Api api, Request request);
boost::asio::awaitable<Outcome> loadVm(Api api, Request request);
boost::asio::awaitable<Outcome> getVmEcho(Api api, Request request);
boost::asio::awaitable<Outcome> getVmTable(Api api, Request request);
Outcome getCollection(Api api, const Request& request);
boost::asio::awaitable<Outcome> setCollection(Api api, Request request);
boost::asio::awaitable<Outcome> listEvents(Api api, Request request);
Outcome getForecast(Api api, const Request& request);
Outcome getPlan(Api api, const Request& request);
boost::asio::awaitable<Outcome> getRanking(Api api, Request request);
Outcome getExplanation(Api api, const Request& request);
Outcome getPolicy(Api api, const Request& request);
Outcome getAutomation(Api api, const Request& request);
boost::asio::awaitable<Outcome> setAutomation(Api api, Request request);
boost::asio::awaitable<Outcome> setMaintenance(Api api, Request request);

boost::asio::awaitable<Outcome> migrateVm(Api api, Request request);
boost::asio::awaitable<Outcome> listOperations(Api api, Request request);
Outcome getOperation(Api api, const Request& request);
boost::asio::awaitable<Outcome> abortOperation(Api api, Request request);

boost::asio::awaitable<Outcome> getFleetState(Api api, Request request);
boost::asio::awaitable<Outcome> getFleetVm(Api api, Request request);
boost::asio::awaitable<Outcome> reserve(Api api, Request request);
Outcome renewReservation(Api api, const Request& request);
boost::asio::awaitable<Outcome> releaseReservation(Api api, Request request);
boost::asio::awaitable<Outcome> commitReservation(Api api, Request request);
boost::asio::awaitable<Outcome> takeAgentToken(Api api, Request request);
boost::asio::awaitable<Outcome> reviveReservation(Api api, Request request);
boost::asio::awaitable<Outcome> returnReservation(Api api, Request request);

boost::asio::awaitable<Outcome> enrollVm(Api api, Request request);
boost::asio::awaitable<Outcome> getDoctor(Api api, Request request);

Outcome getHealth(Api api, const Request& request);
Outcome getOpenapi(Api api, const Request& request);
boost::asio::awaitable<Outcome> getMetrics(Api api, Request request);
Outcome getHealthz(Api api, const Request& request);

/// 200 with this JSON.
Response ok(std::string body);

/// The UUID of what a path names; the first is not_found for a peer, with whom to ask.
Result<Uuid> ownHostUuid(Backend& backend, const std::string& key);
Result<Uuid> vmUuid(Backend& backend, const std::string& key);

/// Lets others on the loop run before a long answer goes on.
boost::asio::awaitable<void> breathe();

/// The embedded OpenAPI file.
std::string_view openapiText();

/// Reads the body of an order for work. `content_type` must be application/json.
std::expected<LoadOrder, Problem> parseLoadOrder(std::string_view content_type,
                                                 std::string_view body);

/// Reads the body of a change of what an agent collects.
std::expected<CollectionChange, Problem> readCollection(const Request& request);

/// Reads the parameters of a series' points; `now` is the end if none is given.
Result<SeriesQuery> parseSeriesQuery(const Query& query, Timestamp now);

/// Reads the parameters of an event list, `entity` apart.
Result<EventFilter> parseEventFilter(const Query& query, Timestamp now);

}  // namespace virtseer::api
