#include <fmt/format.h>

#include "base/text.h"
#include "daemon/decisions.h"

/// What peers ask for. While this daemon does not know again what was under way it answers as if it
/// were silent: "not found" would be taken for the truth.
namespace virtseer::daemon {

namespace asio = boost::asio;

asio::awaitable<Result<FleetState>> DaemonDecisions::fleetState() {
  co_return foresight_->fleetState();
}

asio::awaitable<Result<RemoteVm>> DaemonDecisions::remoteVm(Uuid vm) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  auto presence = co_await environment_.actions().presence(vm);
  if (!presence) co_return fail(presence.error());
  presence->suspended = arrivals_->suspended(vm);
  co_return RemoteVm{
      .presence = std::move(*presence), .wellbeing = wellbeing(vm), .host = inventory_.host().uuid};
}

asio::awaitable<Result<ReserveAnswer>> DaemonDecisions::reserve(ReserveOrder order) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  co_return co_await arrivals_->reserve(std::move(order));
}
Result<Reservation> DaemonDecisions::renew(const std::string& operation) {
  if (const auto known = ready(); !known) return fail(known.error());
  return arrivals_->renew(operation);
}
asio::awaitable<Result<void>> DaemonDecisions::release(std::string operation) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  co_return co_await arrivals_->release(std::move(operation));
}
asio::awaitable<Result<void>> DaemonDecisions::commit(std::string operation, CommitOrder order) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  co_return co_await arrivals_->commit(std::move(operation), std::move(order));
}
asio::awaitable<Result<void>> DaemonDecisions::takeToken(std::string operation, std::string token) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  co_return co_await arrivals_->takeToken(std::move(operation), std::move(token));
}
asio::awaitable<Result<void>> DaemonDecisions::revive(std::string operation) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  co_return co_await arrivals_->revive(std::move(operation));
}

/// The VM of an arrival goes home: a migration of ours, however often it is asked for.
asio::awaitable<Result<Operation>> DaemonDecisions::sendBack(std::string id) {
  if (const auto known = ready(); !known) co_return fail(known.error());
  const auto arrival = arrivals_->find(id);
  if (!arrival) co_return fail(Code::not_found, "no VM came here by operation " + printable(id));
  for (auto& begun : operations_->all())
    if (begun.return_of == id) co_return std::move(begun);
  if (!arrivals_->mayReturn(id))
    co_return fail(Code::refused, fmt::format("{} has ended here, or its source is not proven off: "
                                              "move the VM by a migration of its own",
                                              printable(id)));
  co_return co_await operations_->migrate({.vm = arrival->vm,
                                           .to = arrival->from.text(),
                                           .origin = OperationOrigin::returning,
                                           .plan_step = {},
                                           .return_of = id,
                                           .reasons = {"its move here did not do it good"},
                                           .cpus = arrival->cpus,
                                           .copy_storage = arrival->copy_storage});
}

}  // namespace virtseer::daemon
