#include "act/arrivals.h"

#include <fmt/format.h>

#include <algorithm>

#include "act/arrival_acts.h"
#include "act/arrival_desk.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

using ArrivalPtr = std::shared_ptr<Arrival>;

constexpr Millis kTokenFollows{60'000};
constexpr std::size_t kMostTakenUp = 1'000;

std::unexpected<Error> unknown(const std::string& operation) {
  return fail(Code::not_found,
              fmt::format("no operation {} brings a VM here", printable(operation)));
}

std::unexpected<Error> isOver(const Arrival& arrival) {
  return fail(Code::refused, fmt::format("the arrival has ended: {}", arrival.operation.message));
}

/// A claim of an earlier life, with what its steps tell of the times.
ArrivalPtr takenUp(const ArrivalDesk& desk, Operation claim) {
  auto arrival = std::make_shared<Arrival>(desk.loop, std::move(claim));
  arrival->unwatched = true;
  // What is confirmed was left suspended only for an attempt that might take effect late.
  if (arrival->operation.confirmed && arrival->grip != Grip::none) arrival->grip = Grip::suspending;
  if (arrival->grip == Grip::suspending) arrival->suspending_since = desk.clock.mono();
  if (mayBeEnded(arrival->operation)) arrival->ending_since = desk.clock.mono();
  const auto& steps = arrival->operation.steps;
  if (!arrival->over() && !steps.empty() && steps.back().note == kRunsHere) {
    const auto ran = std::clamp(desk.clock.wall() - steps.back().at, Millis(0), kUnheard);
    arrival->running_since = desk.clock.mono() - ran;
  }
  return arrival;
}

/// What was suspended by us goes on before anything else is done on the source's word.
asio::awaitable<Result<void>> goOn(ArrivalDesk* desk, ArrivalPtr arrival, Presence here) {
  if (here.state == Presence::State::paused && arrival->grip != Grip::none)
    co_return co_await resumeHere(
        desk, arrival,
        fmt::format("the daemon of {} has handed it over", fromOf(arrival->operation)));
  co_return Result<void>{};
}

/// Whether it starts with this host; nothing if that is to stay as it is. A VM that comes back to
/// where it was sent away gets what it had there from who sent it: its definition at the other host
/// never had it.
std::optional<bool> autostartOf(const ArrivalDesk& desk, const Operation& claim,
                                const CommitOrder& order) {
  const auto sent = desk.sentThere(claim.return_of, claim.vm, claim.from);
  if (!sent) return order.autostart;
  if (!ended(sent->state) || sent->state == OperationState::returned) return std::nullopt;
  return order.autostart || sent->record.autostart;
}

/// What follows the VM.
asio::awaitable<Result<void>> follow(ArrivalDesk* desk, ArrivalPtr arrival, Presence here,
                                     CommitOrder order) {
  const auto vm = arrival->operation.vm;
  if (const auto on = autostartOf(*desk, arrival->operation, order); on && here.defined)
    if (const auto set = co_await desk->here.setAutostart(vm, *on); !set) co_return set;
  desk->context.adopt(vm, std::move(order.moves));
  co_return Result<void>{};
}

asio::awaitable<Result<void>> takeOver(ArrivalDesk* desk, ArrivalPtr arrival, CommitOrder order) {
  const auto here = co_await desk->here.presence(arrival->operation.vm);
  if (!here) co_return fail(here.error());
  const bool never_came = arrival->operation.state == OperationState::reserved && !active(*here);
  if (here->state == Presence::State::absent || never_came)
    co_return fail(Code::refused, fmt::format("{} is not here", vmOf(arrival->operation)));
  if (mayStillEnd(*desk, *arrival))
    co_return fail(Code::busy, "ending the copy here was begun, and may still take effect");
  if (mayBeEnded(arrival->operation))
    co_return fail(
        Code::refused,
        fmt::format("the copy here was to be ended, since it ran at {}: it is not the VM",
                    fromOf(arrival->operation)));
  if (const auto done = co_await goOn(desk, arrival, *here); !done) co_return done;
  auto next = arrival->operation;
  const bool news = !next.confirmed;
  next.confirmed = true;
  // Suspending it may still take effect; the watch stays until then.
  next.suspended = arrival->grip == Grip::suspending;
  next.advice.clear();
  auto words = fmt::format("the daemon of {} has handed it over", fromOf(next));
  next = stepped(std::move(next), OperationState::committing, std::move(words), desk->clock.wall());
  if (const auto kept = co_await desk->keep(arrival, std::move(next)); !kept) co_return kept;
  ++arrival->acts;
  if (arrival->grip != Grip::suspending) arrival->grip = Grip::none;
  if (news)
    desk->report(arrival->operation, Severity::info, "arrival.confirmed",
                 arrival->operation.message);
  const auto followed = co_await follow(desk, arrival, *here, std::move(order));
  if (!followed) co_return followed;
  const auto ended = co_await desk->close(
      arrival, OperationState::done,
      fmt::format("{} came from {}", vmOf(arrival->operation), fromOf(arrival->operation)));
  if (!ended) co_return ended;
  desk->report(arrival->operation, Severity::info, "arrival.done", arrival->operation.message);
  co_return Result<void>{};
}

/// What follows the VM once more, of a move that is complete. Nothing if it has left since.
asio::awaitable<Result<void>> takeOverAgain(ArrivalDesk* desk, ArrivalPtr arrival,
                                            CommitOrder order) {
  const auto here = co_await desk->here.presence(arrival->operation.vm);
  if (!here) co_return fail(here.error());
  if (here->state == Presence::State::absent)
    co_return fail(Code::refused, fmt::format("{} is not here", vmOf(arrival->operation)));
  co_return co_await follow(desk, arrival, *here, std::move(order));
}

bool ranHere(const Arrival& arrival) {
  return arrival.ran || std::ranges::find(arrival.operation.steps, kRunsHere,
                                          &OperationStep::note) != arrival.operation.steps.end();
}

asio::awaitable<Result<void>> startOnce(ArrivalDesk* desk, ArrivalPtr arrival) {
  const auto& claim = arrival->operation;
  const auto here = co_await desk->here.presence(claim.vm);
  if (!here) co_return fail(here.error());
  if (!claim.confirmed)
    co_return fail(Code::refused,
                   fmt::format("{} is not proven off at {}", vmOf(claim), fromOf(claim)));
  // The answer to an earlier question may have been lost.
  if (claim.record.restarted && here->state == Presence::State::running) co_return Result<void>{};
  if (claim.record.restarted)
    co_return fail(Code::refused, fmt::format("{} was started here once already", vmOf(claim)));
  // What was only defined and never ran is off for no known reason, too.
  const bool died = here->crashed || (here->unexplained && ranHere(*arrival));
  if (here->state != Presence::State::off || !died)
    co_return fail(Code::refused, fmt::format("{} has not died here: it is {} ({})", vmOf(claim),
                                              name(here->state), printable(here->reason)));
  auto next = stepped(claim, OperationState::verifying, "it died here and is started once more",
                      desk->clock.wall());
  next.record.restarted = true;
  if (const auto kept = co_await desk->keep(arrival, std::move(next)); !kept) co_return kept;
  ++arrival->acts;
  const auto started = co_await desk->here.start(arrival->operation.vm, "");
  if (started)
    desk->report(
        arrival->operation, Severity::warning, "arrival.revived",
        fmt::format("{} died after its move and was started once more", vmOf(arrival->operation)));
  co_return started;
}

}  // namespace

struct Arrivals::Impl : ArrivalDesk {
  using ArrivalDesk::ArrivalDesk;
};

Arrivals::Arrivals(asio::any_io_executor loop, const Clock& clock, platform::Actions& here,
                   Peers& peers, Journal& journal, ArrivalContext context,
                   decide::LedgerRules rules)
    : impl_(std::make_unique<Impl>(loop, clock, here, peers, journal, std::move(context), rules)) {}

Arrivals::~Arrivals() = default;

void Arrivals::recover() {
  std::vector<Reservation> kept;
  std::size_t taken = 0;
  for (auto& claim : impl_->journal.all()) {
    if (claim.kind != OperationKind::arrival || impl_->arrivals.contains(claim.id)) continue;
    // An arrival that has not ended is taken up whatever the bound.
    if (ended(claim.state) && ++taken > kMostTakenUp) continue;
    const auto arrival = takenUp(*impl_, std::move(claim));
    impl_->arrivals[arrival->operation.id] = arrival;
    if (arrival->over()) continue;
    if (!arrival->operation.confirmed)
      kept.push_back(
          reservationOf(arrival->operation, impl_->clock.wall() + impl_->rules.lifetime));
    impl_->spawnWatch(arrival);
  }
  for (auto& held : impl_->ledger.entries()) kept.push_back(std::move(held));
  impl_->ledger = decide::Ledger(impl_->rules, std::move(kept));
}

asio::awaitable<Result<ReserveAnswer>> Arrivals::reserve(ReserveOrder order) {
  return reserveHere(impl_.get(), std::move(order));
}

Result<Reservation> Arrivals::renew(const std::string& operation) {
  const auto arrival = impl_->find(operation);
  if (!arrival || arrival->over()) return unknown(operation);
  const auto now = impl_->clock.wall();
  auto renewed = impl_->ledger.renew(operation, now);
  if (renewed || arrival->operation.state == OperationState::reserved) return renewed;
  return reservationOf(arrival->operation, now + impl_->rules.lifetime);
}

asio::awaitable<Result<void>> Arrivals::release(std::string operation) {
  auto* desk = impl_.get();
  if (operation.size() <= desk->rules.longest_id) desk->released.add(operation, desk->clock.mono());
  const auto arrival = desk->find(operation);
  if (!arrival) co_return Result<void>{};
  const auto turn = co_await arrival->turn.take();
  if (arrival->over()) co_return Result<void>{};
  const auto& claim = arrival->operation;
  const auto here = co_await desk->here.presence(claim.vm);
  if (!here) co_return fail(here.error());
  if (active(*here)) co_return Result<void>{};
  ++arrival->acts;
  const auto source = co_await askAboutCopies(desk, arrival);
  auto left = co_await clearCopies(desk, arrival, source);
  // The watch tries again.
  if (!left) co_return fail(left.error());
  auto next = arrival->operation;
  next.advice = std::move(left->advice);
  const auto words =
      next.confirmed
          ? fmt::format("{} left again, as {} says", vmOf(next), fromOf(next))
          : fmt::format("{} did not come: {} gave its room back", vmOf(next), fromOf(next));
  const auto state = left->person     ? OperationState::needs_person
                     : next.confirmed ? OperationState::returned
                                      : OperationState::failed;
  const auto ended =
      co_await desk->keep(arrival, closed(std::move(next), state, words, desk->clock.wall()));
  if (ended) desk->ledger.release(arrival->operation.id);
  arrival->wake.cancel();
  co_return ended;
}

asio::awaitable<Result<void>> Arrivals::commit(std::string operation, CommitOrder order) {
  auto* desk = impl_.get();
  if (order.moves.size() > kMostMoves)
    co_return fail(Code::invalid, fmt::format("moves: at most {}", kMostMoves));
  const auto arrival = desk->find(operation);
  if (!arrival) co_return unknown(operation);
  const auto turn = co_await arrival->turn.take();
  // A word that is said twice, since the first answer was lost, or that comes late.
  if (arrival->operation.state == OperationState::done)
    co_return co_await takeOverAgain(desk, arrival, std::move(order));
  if (arrival->over()) co_return isOver(*arrival);
  auto done = co_await takeOver(desk, arrival, std::move(order));
  arrival->wake.cancel();
  co_return done;
}

asio::awaitable<Result<void>> Arrivals::takeToken(std::string operation, std::string token) {
  auto* desk = impl_.get();
  const auto arrival = desk->find(operation);
  if (!arrival) co_return unknown(operation);
  const auto turn = co_await arrival->turn.take();
  const auto& claim = arrival->operation;
  if (claim.state != OperationState::done)
    co_return fail(Code::refused, fmt::format("{} was not taken over here", vmOf(claim)));
  const auto here = co_await desk->here.presence(claim.vm);
  if (!here) co_return fail(here.error());
  if (here->state == Presence::State::absent)
    co_return fail(Code::refused, fmt::format("{} is not here", vmOf(claim)));
  if (claim.record.token_taken) co_return Result<void>{};
  if (const auto later = desk->newest(claim.vm); later && later != arrival)
    co_return fail(Code::refused, fmt::format("{} has come anew since, by operation {}",
                                              vmOf(claim), later->operation.id));
  if (!desk->context.tokens) co_return fail(Code::unsupported, "no agent calls here");
  if (desk->context.changing && desk->context.changing(claim.vm))
    co_return fail(Code::busy, fmt::format("{} is being enrolled", vmOf(claim)));
  const auto kept = co_await desk->context.tokens->keep(claim.vm, std::move(token));
  if (!kept) co_return kept;
  auto next = claim;
  next.record.token_taken = true;
  const auto written = co_await desk->keep(arrival, std::move(next));
  if (!written) co_return written;
  desk->report(
      claim, Severity::info, "vm.token_taken",
      fmt::format("the token of {}'s agent came after it from {}", vmOf(claim), fromOf(claim)));
  co_return Result<void>{};
}

asio::awaitable<void> Arrivals::settleToken(Uuid vm) {
  auto* desk = impl_.get();
  const auto arrival = desk->newest(vm);
  if (!arrival) co_return;
  const auto turn = co_await arrival->turn.take();
  if (arrival->operation.record.token_taken) co_return;
  auto next = arrival->operation;
  next.record.token_taken = true;
  // What cannot be written down holds for as long as this daemon runs.
  if (!co_await desk->keep(arrival, next)) arrival->operation = std::move(next);
}

bool Arrivals::awaitsToken(const Uuid& vm) const {
  if (expects(vm)) return true;
  const auto arrival = impl_->newest(vm);
  if (!arrival) return false;
  const auto& claim = arrival->operation;
  return claim.state == OperationState::done && !claim.record.token_taken && claim.ended &&
         impl_->clock.wall() - *claim.ended < kTokenFollows;
}

asio::awaitable<Result<void>> Arrivals::revive(std::string operation) {
  auto* desk = impl_.get();
  const auto arrival = desk->find(operation);
  if (!arrival) co_return unknown(operation);
  // The source may know sooner than the next look here that its copy is off.
  if (!arrival->operation.confirmed) co_await lookAfter(desk, arrival);
  const auto turn = co_await arrival->turn.take();
  if (arrival->over()) co_return isOver(*arrival);
  co_return co_await startOnce(desk, arrival);
}

void Arrivals::nudge(const Uuid& vm) {
  const auto arrival = impl_->of(vm);
  if (!arrival) return;
  arrival->nudged = true;
  arrival->wake.cancel();
}

bool Arrivals::mayReturn(const std::string& operation) const {
  const auto arrival = impl_->find(operation);
  return arrival && !arrival->over() && arrival->operation.confirmed;
}

std::vector<Operation> Arrivals::all() const {
  std::vector<Operation> out;
  for (const auto& [id, arrival] : impl_->arrivals) out.push_back(arrival->operation);
  std::ranges::sort(out, std::ranges::greater{}, &Operation::created);
  return out;
}

std::optional<Operation> Arrivals::find(const std::string& id) const {
  const auto arrival = impl_->find(id);
  if (!arrival) return std::nullopt;
  return arrival->operation;
}

bool Arrivals::expects(const Uuid& vm) const {
  return impl_->of(vm) != nullptr;
}

bool Arrivals::suspended(const Uuid& vm) const {
  const auto arrival = impl_->of(vm);
  return arrival && arrival->operation.suspended;
}

std::vector<Reservation> Arrivals::reservations() const {
  const auto present = impl_->context.room().present;
  const auto now = impl_->clock.wall();
  auto out = impl_->ledger.entries();
  std::erase_if(out, [&](const auto& held) {
    return held.expires <= now || std::ranges::find(present, held.vm) != present.end();
  });
  return out;
}

std::vector<Flight> Arrivals::flights() const {
  std::vector<Flight> out;
  for (const auto& [id, arrival] : impl_->arrivals) {
    const auto& claim = arrival->operation;
    if (arrival->over()) continue;
    out.push_back({claim.id, claim.vm, claim.from, claim.to});
  }
  return out;
}

void Arrivals::cancel() {
  impl_->stopping = true;
  impl_->tasks.cancel();
}

asio::awaitable<void> Arrivals::join() {
  co_await impl_->tasks.join();
}

}  // namespace virtseer::act
