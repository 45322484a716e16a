#include "act/arrival_desk.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <tuple>

#include "base/log.h"
#include "decide/words.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

/// Ended arrivals that are remembered.
constexpr std::size_t kKept = 200;

constexpr Millis kReleasedFor{120'000};
constexpr std::size_t kMostReleased = 1'000;

}  // namespace

std::optional<Turn::Held> Turn::tryTake() {
  if (taken_) return std::nullopt;
  return Held(*this);
}

asio::awaitable<Turn::Held> Turn::take() {
  while (taken_) {
    boost::system::error_code ignored;
    co_await freed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return Held(*this);
}

void ReleasedIds::add(const std::string& operation, Mono now) {
  std::erase_if(ids_, [&](const auto& entry) {
    return entry.first == operation || now - entry.second >= kReleasedFor;
  });
  ids_.emplace_back(operation, now);
  if (ids_.size() > kMostReleased) ids_.pop_front();
}

bool ReleasedIds::contains(const std::string& operation, Mono now) const {
  return std::ranges::any_of(ids_, [&](const auto& entry) {
    return entry.first == operation && now - entry.second < kReleasedFor;
  });
}

bool active(const Presence& presence) {
  return presence.state != Presence::State::absent && presence.state != Presence::State::off;
}

std::string vmOf(const Operation& claim) {
  return decide::label(claim.vm_name.empty() ? claim.vm.text() : claim.vm_name);
}

std::string fromOf(const Operation& claim) {
  return decide::label(claim.from_name.empty() ? claim.from.text() : claim.from_name);
}

ArrivalDesk::ArrivalDesk(asio::any_io_executor executor, const Clock& the_clock,
                         platform::Actions& actions, Peers& the_peers, Journal& the_journal,
                         ArrivalContext the_context, decide::LedgerRules the_rules)
    : loop(executor),
      clock(the_clock),
      here(actions),
      peers(the_peers),
      journal(the_journal),
      context(std::move(the_context)),
      rules(the_rules),
      ledger(the_rules),
      tasks(executor, [](const std::string& name, const std::string& what) {
        log(Level::error, name + " ended by an exception: " + what);
      }) {}

std::shared_ptr<Arrival> ArrivalDesk::of(const Uuid& vm) const {
  for (const auto& [id, arrival] : arrivals)
    if (arrival->operation.vm == vm && !arrival->over()) return arrival;
  return nullptr;
}

std::shared_ptr<Arrival> ArrivalDesk::newest(const Uuid& vm) const {
  const auto age = [](const Arrival& one) {
    return std::tie(one.operation.created, one.operation.id);
  };
  std::shared_ptr<Arrival> out;
  for (const auto& [id, arrival] : arrivals)
    if (arrival->operation.vm == vm && arrival->operation.confirmed &&
        (!out || age(*out) < age(*arrival)))
      out = arrival;
  return out;
}

std::shared_ptr<Arrival> ArrivalDesk::find(const std::string& id) const {
  const auto found = arrivals.find(id);
  return found == arrivals.end() ? nullptr : found->second;
}

std::shared_ptr<Peer> ArrivalDesk::source(const Uuid& host, const std::string& name) const {
  if (auto peer = peers.find(host.text())) return *peer;
  // By its name only while it has not said yet which host it is.
  auto peer = peers.find(name);
  if (!peer || (*peer)->host().value_or(host) != host) return nullptr;
  return *peer;
}

std::shared_ptr<Peer> ArrivalDesk::source(const Operation& claim) const {
  const auto& known_as = claim.record.source_peer;
  return source(claim.from, known_as.empty() ? claim.from_name : known_as);
}

std::optional<Operation> ArrivalDesk::sentThere(const std::string& id, const Uuid& vm,
                                                const Uuid& back_from) const {
  if (id.empty()) return std::nullopt;
  auto sent = context.sent(id);
  if (!sent || sent->kind != OperationKind::migration || sent->vm != vm || sent->to != back_from)
    return std::nullopt;
  return std::move(*sent);
}

asio::awaitable<Result<void>> ArrivalDesk::keep(std::shared_ptr<Arrival> arrival, Operation next) {
  if (const auto written = co_await journal.write(next); !written) co_return written;
  arrival->operation = std::move(next);
  if (arrival->over()) trim();
  co_return Result<void>{};
}

asio::awaitable<Result<void>> ArrivalDesk::step(std::shared_ptr<Arrival> arrival,
                                                OperationState state, std::string note) {
  const auto& now = arrival->operation;
  if (now.state == state && now.message == note && !now.steps.empty() &&
      now.steps.back().state == state && now.steps.back().note == note)
    co_return Result<void>{};
  co_return co_await keep(arrival, stepped(now, state, std::move(note), clock.wall()));
}

asio::awaitable<Result<void>> ArrivalDesk::close(std::shared_ptr<Arrival> arrival,
                                                 OperationState state, std::string message,
                                                 std::vector<std::string> advice) {
  auto next = closed(arrival->operation, state, std::move(message), clock.wall());
  if (!advice.empty()) next.advice = std::move(advice);
  const auto kept = co_await keep(arrival, std::move(next));
  if (kept) ledger.release(arrival->operation.id);
  co_return kept;
}

void ArrivalDesk::holdRoom(const Operation& claim) {
  const auto present = context.room().present;
  if (std::ranges::find(present, claim.vm) != present.end()) {
    ledger.release(claim.id);
    return;
  }
  const auto now = clock.wall();
  if (ledger.renew(claim.id, now)) return;
  // It is on its way: what was promised is not forgotten since a renewal was late.
  auto entries = ledger.entries();
  entries.push_back(reservationOf(claim, now + rules.lifetime));
  ledger = decide::Ledger(rules, std::move(entries));
}

bool ArrivalDesk::holdsRoom(const std::string& operation) {
  ledger.expire(clock.wall());
  return std::ranges::any_of(ledger.entries(),
                             [&](const auto& held) { return held.operation == operation; });
}

void ArrivalDesk::report(const Operation& claim, Severity severity, std::string kind,
                         std::string message) {
  Event event;
  event.time = clock.wall();
  event.severity = severity;
  event.kind = std::move(kind);
  event.entity = claim.vm;
  event.message = std::move(message);
  event.fields = {{"operation", claim.id}, {"from", claim.from_name}};
  context.report(std::move(event));
}

void ArrivalDesk::spawnWatch(std::shared_ptr<Arrival> arrival) {
  auto name = "arrival " + arrival->operation.id;
  tasks.spawn(std::move(name), watchArrival(this, std::move(arrival)));
}

void ArrivalDesk::trim() {
  std::vector<std::shared_ptr<Arrival>> over;
  for (const auto& [id, arrival] : arrivals)
    if (arrival->over()) over.push_back(arrival);
  if (over.size() <= kKept) return;
  std::ranges::sort(over, {}, [](const auto& arrival) { return arrival->operation.created; });
  over.resize(over.size() - kKept);
  for (const auto& arrival : over) {
    journal.forget(arrival->operation);
    arrivals.erase(arrival->operation.id);
  }
}

}  // namespace virtseer::act
