#include "fleet/http_peer.h"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "wire/wire.h"

namespace virtseer::fleet {

namespace asio = boost::asio;
using Mono = std::chrono::steady_clock;

namespace {

constexpr std::size_t kMostStateBytes = 32u << 20;
constexpr Millis kLibvirtDeadline{2000};
const std::string kApi = "/api/v1/";

Error noSegment() {
  return {Code::invalid, "an empty or dotted id cannot be asked for"};
}

}  // namespace

HttpPeer::HttpPeer(std::shared_ptr<Network> network, const Clock& clock, PeerOptions options)
    : network_(std::move(network)),
      clock_(clock),
      options_(std::move(options)),
      address_(parseUrl(options_.url)) {
  known_.name = options_.name;
  known_.error = "not asked yet";
}

asio::awaitable<Result<std::string>> HttpPeer::ask(HttpRequest request, Deadline deadline) {
  const auto self = shared_from_this();
  if (!address_) co_return fail(mine(address_.error()));
  request.token = options_.token;
  auto reply = co_await exchange(network_->lookup, *address_, std::move(request), deadline);
  if (!reply) co_return fail(mine(reply.error()));
  auto answer = body(std::move(*reply));
  if (!answer) co_return fail(mine(answer.error()));
  co_return answer;
}

asio::awaitable<Result<std::string>> HttpPeer::post(std::string target, std::string body) {
  return ask({.method = HttpRequest::Method::post,
              .target = std::move(target),
              .body = std::move(body),
              .token = {}},
             deadline());
}

asio::awaitable<Result<std::string>> HttpPeer::order(std::string operation, std::string verb,
                                                     std::string body) {
  const auto id = segment(operation);
  if (!id) co_return fail(mine(noSegment()));
  co_return co_await post(kApi + "reservations/" + *id + "/" + verb, std::move(body));
}

asio::awaitable<Result<ReserveAnswer>> HttpPeer::reserve(ReserveOrder order) {
  auto text = wire::text(wire::json(order));
  if (!text) co_return fail(mine(text.error()));
  const auto answer = co_await post(kApi + "reservations", std::move(*text));
  if (!answer) co_return fail(answer.error());
  co_return understood(wire::reserveAnswer(*answer));
}

asio::awaitable<Result<Reservation>> HttpPeer::renew(std::string operation) {
  const auto answer = co_await order(std::move(operation), "renew", "{}");
  if (!answer) co_return fail(answer.error());
  co_return understood(wire::reservation(*answer));
}

asio::awaitable<Result<void>> HttpPeer::release(std::string operation) {
  const auto answer = co_await order(std::move(operation), "release", "{}");
  if (!answer) co_return fail(answer.error());
  co_return Result<void>{};
}

asio::awaitable<Result<RemoteVm>> HttpPeer::vm(Uuid vm) {
  const auto answer = co_await ask(
      {.target = kApi + "fleet/vms/" + vm.text(), .body = {}, .token = {}}, deadline());
  if (!answer) co_return fail(answer.error());
  co_return understood(wire::remoteVm(*answer));
}

asio::awaitable<Result<void>> HttpPeer::commit(std::string operation, CommitOrder moves) {
  auto text = wire::text(wire::json(moves));
  if (!text) co_return fail(mine(text.error()));
  const auto answer = co_await order(std::move(operation), "commit", std::move(*text));
  if (!answer) co_return fail(answer.error());
  co_return Result<void>{};
}

asio::awaitable<Result<void>> HttpPeer::takeToken(std::string operation, std::string token) {
  auto text = wire::text({{"token", std::move(token)}});
  if (!text) co_return fail(mine(text.error()));
  const auto answer = co_await order(std::move(operation), "agent-token", std::move(*text));
  if (!answer) co_return fail(answer.error());
  co_return Result<void>{};
}

asio::awaitable<Result<void>> HttpPeer::revive(std::string operation) {
  const auto answer = co_await order(std::move(operation), "revive", "{}");
  if (!answer) co_return fail(answer.error());
  co_return Result<void>{};
}

asio::awaitable<Result<Operation>> HttpPeer::sendBack(std::string operation) {
  const auto answer = co_await order(std::move(operation), "return", "{}");
  if (!answer) co_return fail(answer.error());
  co_return understood(wire::operation(*answer));
}

asio::awaitable<Result<Operation>> HttpPeer::operation(std::string id) {
  const auto named = segment(id);
  if (!named) co_return fail(mine(noSegment()));
  const auto answer =
      co_await ask({.target = kApi + "operations/" + *named, .body = {}, .token = {}}, deadline());
  if (!answer) co_return fail(answer.error());
  co_return understood(wire::operation(*answer));
}

asio::awaitable<Result<void>> HttpPeer::setMaintenance(bool on) {
  const auto host = segment(known_.host ? known_.host->text() : options_.name);
  if (!host) co_return fail(mine(noSegment()));
  const auto answer = co_await post(kApi + "hosts/" + *host + "/maintenance",
                                    on ? "{\"on\":true}" : "{\"on\":false}");
  if (!answer) co_return fail(answer.error());
  co_return Result<void>{};
}

asio::awaitable<bool> HttpPeer::libvirtAnswers() {
  const auto self = shared_from_this();
  const auto address = libvirtAddress(options_.migration_uri);
  if (!address) co_return false;
  co_return co_await portAnswers(network_->lookup, *address, Mono::now() + kLibvirtDeadline);
}

asio::awaitable<Result<FleetState>> HttpPeer::askState() {
  const auto until = deadline();
  auto answer = co_await ask({.target = kApi + "fleet/state",
                              .body = {},
                              .token = {},
                              .most_reply_bytes = kMostStateBytes},
                             until);
  if (!answer) co_return fail(answer.error());
  const Timestamp heard = clock_.wall();
  // A large host's state takes longer to read than the loop may stand still.
  auto state = co_await network_->readers.run(
      "reading the state", left(until),
      [text = std::move(*answer)]() -> Result<FleetState> { return wire::fleetState(text); });
  if (!state && state.error().code == Code::invalid)
    co_return fail(mine(misunderstood(state.error())));
  if (!state) co_return fail(mine(state.error()));
  co_return byOurClock(std::move(*state), heard);
}

void HttpPeer::keep(Result<FleetState> told) {
  known_.answers = told.has_value();
  known_.error = told ? "" : told.error().message;
  if (told) {
    known_.host = told->host.uuid;
    known_.heard = told->now;
    known_.state = std::move(*told);
  }
  if (known_.state) known_.state->host.answers = known_.answers;
}

/// Asks and keeps what comes of it; an exception, but for the one of being cancelled, is a failure
/// of this question alone.
asio::awaitable<void> HttpPeer::askOnce() {
  std::string fault;
  try {
    auto told = co_await askState();
    if (told || told.error().code != Code::cancelled) keep(std::move(told));
    co_return;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    fault = error.what();
  } catch (const std::exception& error) {
    fault = error.what();
  }
  keep(fail(mine({Code::failed, "a fault of virtseer itself: " + printable(fault)})));
}

asio::awaitable<void> HttpPeer::follow(Millis interval) {
  const auto self = shared_from_this();
  asio::steady_timer timer(co_await asio::this_coro::executor);
  auto due = Mono::now();
  for (;;) {
    co_await askOnce();
    // What was missed while it was silent is not made up for.
    while (due <= Mono::now()) due += interval;
    timer.expires_at(due);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

FleetState byOurClock(FleetState state, Timestamp heard) {
  const auto ahead = heard - state.now;
  state.now = heard;
  state.host.as_of += ahead;
  state.scenarios.start += ahead;
  for (auto& reservation : state.host.reservations) reservation.expires += ahead;
  for (auto& vm : state.host.vms)
    for (auto& move : vm.moves) move.started += ahead, move.ended += ahead;
  return state;
}

}  // namespace virtseer::fleet
