#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/body.h"
#include "api/handlers.h"
#include "api/json.h"
#include "base/text.h"
#include "wire/wire.h"

/// What the daemons of other hosts ask. An operation is named as its source named it.
namespace virtseer::api {

namespace asio = boost::asio;

namespace {

Response done() {
  return ok("{}\n");
}

}  // namespace

asio::awaitable<Outcome> getFleetState(Api api, Request) {
  const auto state = co_await api.decisions.fleetState();
  if (!state) co_return refuse(state.error());
  co_return ok(wire::text(*state) + '\n');
}

asio::awaitable<Outcome> getFleetVm(Api api, Request request) {
  const auto uuid = Uuid::parse(request.path[0]);
  if (!uuid)
    co_return refuse(Error{Code::invalid, fmt::format("\"{}\" is not a UUID",
                                                      printable(request.path[0].substr(0, 80)))});
  const auto vm = co_await api.decisions.remoteVm(*uuid);
  if (!vm) co_return refuse(vm.error());
  co_return ok(text(wire::json(*vm)));
}

asio::awaitable<Outcome> reserve(Api api, Request request) {
  const auto type = needJson(request.content_type);
  if (!type) co_return refuse(type.error());
  auto order = wire::reserveOrder(request.body);
  if (!order) co_return refuse(order.error());
  const auto answer = co_await api.decisions.reserve(std::move(*order));
  if (!answer) co_return refuse(answer.error());
  auto out = ok(text(wire::json(*answer)));
  if (answer->reservation) out.status = 201;
  co_return out;
}

Outcome renewReservation(Api api, const Request& request) {
  const auto nothing = readNothing(request);
  if (!nothing) return refuse(nothing.error());
  const auto reservation = api.decisions.renew(request.path[0]);
  if (!reservation) return refuse(reservation.error());
  return ok(text(wire::json(*reservation)));
}

asio::awaitable<Outcome> releaseReservation(Api api, Request request) {
  const auto nothing = readNothing(request);
  if (!nothing) co_return refuse(nothing.error());
  const auto released = co_await api.decisions.release(request.path[0]);
  if (!released) co_return refuse(released.error());
  co_return done();
}

asio::awaitable<Outcome> commitReservation(Api api, Request request) {
  const auto type = needJson(request.content_type);
  if (!type) co_return refuse(type.error());
  auto order = wire::commitOrder(request.body);
  if (!order) co_return refuse(order.error());
  const auto committed = co_await api.decisions.commit(request.path[0], std::move(*order));
  if (!committed) co_return refuse(committed.error());
  co_return done();
}

asio::awaitable<Outcome> takeAgentToken(Api api, Request request) {
  auto token = readToken(request);
  if (!token) co_return refuse(token.error());
  const auto taken = co_await api.decisions.takeToken(request.path[0], std::move(*token));
  if (!taken) co_return refuse(taken.error());
  co_return done();
}

asio::awaitable<Outcome> reviveReservation(Api api, Request request) {
  const auto nothing = readNothing(request);
  if (!nothing) co_return refuse(nothing.error());
  const auto revived = co_await api.decisions.revive(request.path[0]);
  if (!revived) co_return refuse(revived.error());
  co_return done();
}

asio::awaitable<Outcome> returnReservation(Api api, Request request) {
  const auto nothing = readNothing(request);
  if (!nothing) co_return refuse(nothing.error());
  const auto operation = co_await api.decisions.sendBack(request.path[0]);
  if (!operation) co_return refuse(operation.error());
  co_return Response{202, std::string(kJsonType), text(wire::json(*operation)), {}};
}

}  // namespace virtseer::api
