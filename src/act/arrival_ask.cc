#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "act/answers.h"
#include "act/arrival_desk.h"

// How the watch asks and waits: every wait has an end.

namespace virtseer::act {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

asio::awaitable<void> span(Pause pause, Millis limit) {
  try {
    co_await pause(limit);
  } catch (const boost::system::system_error&) {
    co_return;
  }
}

asio::awaitable<void> askDaemon(std::shared_ptr<Peer> peer, Uuid vm, Uuid from,
                                std::shared_ptr<SourceWord> word) {
  try {
    const auto answer = co_await peer->vm(vm);
    // Until a peer has been heard, any machine may stand at its address.
    if (answer && answer->host != from) co_return;
    if (answer) word->presence = answer->presence;
    if (answer || answered(answer.error())) word->host_answers = true;
  } catch (const boost::system::system_error&) {
    co_return;
  }
}

asio::awaitable<void> askPort(std::shared_ptr<Peer> peer, std::shared_ptr<SourceWord> word) {
  try {
    if (co_await peer->libvirtAnswers()) word->host_answers = true;
  } catch (const boost::system::system_error&) {
    co_return;
  }
}

asio::awaitable<void> askBoth(std::shared_ptr<Peer> peer, Uuid vm, Uuid from,
                              std::shared_ptr<SourceWord> word) {
  co_await (askDaemon(peer, vm, from, word) && askPort(peer, word));
}

/// True if the source had found the VM at the destination, and a person's word did not end the
/// move: who said that the destination is off may have started it elsewhere.
bool endedOnceMoved(const Operation& told) {
  const auto& steps = told.steps;
  if (told.state != OperationState::needs_person || steps.size() < 2) return false;
  const auto before = steps[steps.size() - 2].state;
  return before == OperationState::verifying || before == OperationState::committing ||
         before == OperationState::returning;
}

asio::awaitable<void> woken(std::shared_ptr<Arrival> arrival) {
  boost::system::error_code ignored;
  co_await arrival->wake.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

asio::awaitable<SourceWord> askSource(std::shared_ptr<Peer> peer, Uuid vm, Uuid from, Pause pause,
                                      Millis limit, bool both) {
  if (!peer) co_return SourceWord{};
  // Shared, so that what one has heard counts though the other runs into the limit.
  const auto word = std::make_shared<SourceWord>();
  word->asked = true;
  if (both) {
    co_await (askBoth(peer, vm, from, word) || span(pause, limit));
    co_return *word;
  }
  co_await (askDaemon(peer, vm, from, word) || span(pause, limit));
  if (!word->host_answers) co_await (askPort(peer, word) || span(pause, limit));
  co_return *word;
}

asio::awaitable<bool> endedAtSource(std::shared_ptr<Peer> peer, std::string operation, Uuid vm) {
  if (!peer) co_return false;
  const auto told = co_await peer->operation(std::move(operation));
  if (!told || told->kind != OperationKind::migration || told->vm != vm) co_return false;
  co_return told->state == OperationState::done || told->state == OperationState::failed ||
      told->state == OperationState::returned || told->state == OperationState::needs_person;
}

asio::awaitable<SourceHalf> askHalf(std::shared_ptr<Peer> peer, std::string operation, Uuid vm) {
  if (!peer) co_return SourceHalf::unknown;
  const auto told = co_await peer->operation(std::move(operation));
  if (!told)
    co_return told.error().code == Code::not_found ? SourceHalf::not_known : SourceHalf::unknown;
  if (told->kind != OperationKind::migration || told->vm != vm) co_return SourceHalf::not_known;
  if (!ended(told->state) || told->state == OperationState::done) co_return SourceHalf::may_be_here;
  co_return endedOnceMoved(*told) ? SourceHalf::may_be_here : SourceHalf::ended_without;
}

asio::awaitable<void> restUntil(Pause pause, Millis limit, std::shared_ptr<Arrival> arrival) {
  if (!std::exchange(arrival->nudged, false)) co_await (span(pause, limit) || woken(arrival));
  arrival->nudged = false;
}

}  // namespace virtseer::act
