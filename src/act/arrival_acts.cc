#include "act/arrival_acts.h"

#include <fmt/format.h>

#include "act/answers.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

using State = Presence::State;
using ArrivalPtr = std::shared_ptr<Arrival>;

Operation released(Operation claim) {
  claim.suspended = false;
  claim.advice.clear();
  return claim;
}

OperationState whereItRuns(const Arrival& arrival) {
  return arrival.operation.confirmed ? OperationState::verifying : OperationState::migrating;
}

std::vector<std::string> adviceFor(const Operation& claim) {
  return {
      fmt::format("see that {} answers again: what its daemon says decides", fromOf(claim)),
      fmt::format("if you are sure that {} is off: virsh resume {}", fromOf(claim), vmOf(claim))};
}

asio::awaitable<void> noteSuspended(ArrivalDesk* desk, ArrivalPtr arrival) {
  const auto& claim = arrival->operation;
  auto words =
      fmt::format("{}: {} is silent and may run {} again", kSuspended, fromOf(claim), vmOf(claim));
  if (!co_await desk->step(arrival, OperationState::uncertain, std::move(words))) co_return;
  arrival->grip = Grip::suspended;
  arrival->running_since.reset();
  desk->report(arrival->operation, Severity::error, "arrival.suspended",
               fmt::format("{} was suspended: {} has been silent since it came from there, and may "
                           "run it again",
                           vmOf(arrival->operation), fromOf(arrival->operation)));
}

asio::awaitable<Result<void>> noteResumed(ArrivalDesk* desk, ArrivalPtr arrival) {
  const bool may_stop = mayStillStop(*desk, *arrival);
  auto next = stepped(released(arrival->operation), whereItRuns(*arrival), "it goes on here",
                      desk->clock.wall());
  next.suspended = may_stop;
  if (const auto kept = co_await desk->keep(arrival, std::move(next)); !kept) co_return kept;
  arrival->grip = may_stop ? Grip::suspending : Grip::none;
  desk->report(arrival->operation, Severity::info, "arrival.resumed",
               fmt::format("{} goes on: {} has answered", vmOf(arrival->operation),
                           fromOf(arrival->operation)));
  co_return Result<void>{};
}

/// Nothing dormant may wake up; but the only definition there is stays.
asio::awaitable<Result<Leftovers>> undefineHere(ArrivalDesk* desk, ArrivalPtr arrival,
                                                Presence source) {
  const auto vm = arrival->operation.vm;
  const auto here = co_await desk->here.presence(vm);
  if (!here) co_return fail(here.error());
  if (active(*here)) co_return fail(Code::busy, "it is here again");
  Leftovers left;
  if (!here->defined) co_return left;
  const auto from = fromOf(arrival->operation), name = vmOf(arrival->operation);
  if (!source.defined) {
    left.advice.push_back(
        fmt::format("its definition was left here, since {} has none: move it there, then "
                    "virsh undefine {}",
                    from, name));
    co_return left;
  }
  const auto gone = co_await desk->here.undefine(vm);
  if (gone) arrival->failures = 0;
  if (gone) co_return left;
  if (putOff(gone.error()) && ++arrival->failures < kActTries) co_return fail(gone.error());
  left.person = true;
  left.advice.push_back(fmt::format("its definition is still here ({}): virsh undefine {}",
                                    printable(gone.error().message), name));
  co_return left;
}

/// Suspending it did not take effect.
asio::awaitable<void> forgetAttempt(ArrivalDesk* desk, ArrivalPtr arrival) {
  if (arrival->grip != Grip::suspending) co_return;
  if (arrival->over() || co_await desk->keep(arrival, released(arrival->operation)))
    arrival->grip = Grip::none;
}

}  // namespace

bool mayStillStop(const ArrivalDesk& desk, const Arrival& arrival) {
  return arrival.suspending_since && desk.clock.mono() - *arrival.suspending_since < kLateAct;
}

bool mayStillEnd(const ArrivalDesk& desk, const Arrival& arrival) {
  return arrival.ending_since && desk.clock.mono() - *arrival.ending_since < kLateAct;
}

asio::awaitable<void> settleGrip(ArrivalDesk* desk, ArrivalPtr arrival, Presence here) {
  if (here.state == State::paused && arrival->grip == Grip::suspending)
    co_await noteSuspended(desk, arrival);
  if (here.state == State::running && arrival->grip == Grip::resuming)
    std::ignore = co_await noteResumed(desk, arrival);
  if (here.state == State::running && !mayStillStop(*desk, *arrival))
    co_await forgetAttempt(desk, arrival);
}

asio::awaitable<void> undoLate(ArrivalDesk* desk, ArrivalPtr arrival, Presence here) {
  // On its way to another host it stands still for its own reasons.
  if (here.job == Presence::Job::migration_out || !active(here)) {
    co_await forgetAttempt(desk, arrival);
    co_return;
  }
  if (here.state != State::paused) {
    co_await settleGrip(desk, arrival, here);
    co_return;
  }
  if (arrival->grip == Grip::none || here.job != Presence::Job::none) co_return;
  if (!arrival->over()) {
    std::ignore = co_await resumeHere(desk, arrival, "suspending it took effect late");
    co_return;
  }
  if (!co_await desk->here.resume(arrival->operation.vm)) co_return;
  arrival->grip = Grip::none;
  desk->report(arrival->operation, Severity::warning, "arrival.resumed",
               fmt::format("{} goes on: an earlier attempt to suspend it took effect late",
                           vmOf(arrival->operation)));
}

asio::awaitable<void> confirmHere(ArrivalDesk* desk, ArrivalPtr arrival, std::string why) {
  const bool may_stop = mayStillStop(*desk, *arrival);
  auto next = released(arrival->operation);
  next.suspended = may_stop;
  next.confirmed = true;
  next = stepped(std::move(next), OperationState::verifying, std::move(why), desk->clock.wall());
  if (!co_await desk->keep(arrival, std::move(next))) co_return;
  ++arrival->acts;
  arrival->grip = may_stop ? Grip::suspending : Grip::none;
  arrival->confirmed_since = desk->clock.mono();
  arrival->source_running_since.reset();
  const auto& claim = arrival->operation;
  desk->report(claim, Severity::info, "arrival.confirmed",
               fmt::format("{} is this host's: {}", vmOf(claim), claim.message));
}

asio::awaitable<void> suspendHere(ArrivalDesk* desk, ArrivalPtr arrival) {
  auto next = stepped(arrival->operation, OperationState::uncertain,
                      fmt::format("{}: neither the daemon nor libvirt of {} answers", kSuspending,
                                  fromOf(arrival->operation)),
                      desk->clock.wall());
  next.suspended = true;
  next.advice = adviceFor(next);
  if (!co_await desk->keep(arrival, std::move(next))) co_return;
  ++arrival->acts;
  arrival->grip = Grip::suspending;
  const auto done = co_await desk->here.suspend(arrival->operation.vm);
  if (done)
    co_await noteSuspended(desk, arrival);
  else
    arrival->suspending_since = desk->clock.mono();
}

asio::awaitable<Result<void>> resumeHere(ArrivalDesk* desk, ArrivalPtr arrival, std::string why) {
  const auto state =
      arrival->operation.confirmed ? OperationState::verifying : OperationState::uncertain;
  const auto kept = co_await desk->step(arrival, state, fmt::format("{}: {}", kResuming, why));
  if (!kept) co_return kept;
  ++arrival->acts;
  arrival->grip = Grip::resuming;
  const auto done = co_await desk->here.resume(arrival->operation.vm);
  if (!done) co_return done;
  co_return co_await noteResumed(desk, arrival);
}

namespace {

/// A copy that is not to be taken for the VM, and must not be ended without the source's word.
asio::awaitable<void> leave(ArrivalDesk* desk, ArrivalPtr arrival, std::string words,
                            std::vector<std::string> advice) {
  const auto closed = co_await desk->close(arrival, OperationState::needs_person, std::move(words),
                                           std::move(advice));
  if (!closed) co_return;
  ++arrival->acts;
  desk->report(arrival->operation, Severity::error, "arrival.failed", arrival->operation.message);
}

/// Its steps are bounded: what must not be forgotten is written down beside them.
asio::awaitable<Result<void>> noteEnding(ArrivalDesk* desk, ArrivalPtr arrival) {
  auto why = fmt::format("{}: it runs at {}", kEnding, fromOf(arrival->operation));
  if (arrival->operation.record.to_be_ended)
    co_return co_await desk->step(arrival, OperationState::migrating, std::move(why));
  auto next =
      stepped(arrival->operation, OperationState::migrating, std::move(why), desk->clock.wall());
  next.record.to_be_ended = true;
  co_return co_await desk->keep(arrival, std::move(next));
}

/// Two copies run: it is tried on, but a person may be quicker.
asio::awaitable<void> notEnded(ArrivalDesk* desk, ArrivalPtr arrival, Error why) {
  if (silence(why)) arrival->ending_since = desk->clock.mono();
  if (++arrival->failures != kActTries) co_return;
  auto next = arrival->operation;
  next.advice = {fmt::format("it runs here and at {}: end the copy here: virsh destroy {}",
                             fromOf(next), vmOf(next))};
  std::ignore = co_await desk->keep(arrival, std::move(next));
  desk->report(
      arrival->operation, Severity::error, "arrival.conflict",
      fmt::format("{} runs here and at {}, and the copy here cannot be ended: {}",
                  vmOf(arrival->operation), fromOf(arrival->operation), printable(why.message)));
}

}  // namespace

asio::awaitable<void> notTheVm(ArrivalDesk* desk, ArrivalPtr arrival, Presence here) {
  const auto from = fromOf(arrival->operation), vm = vmOf(arrival->operation);
  co_await leave(
      desk, arrival,
      fmt::format("it is {} here, where it was to be ended since it ran at {}, which "
                  "does not run it any more",
                  name(here.state), from),
      {fmt::format("end the copy here, which is out of date: virsh destroy {}", vm),
       fmt::format("then start it at {}, unless it runs elsewhere by now: virsh start {}", from,
                   vm)});
}

asio::awaitable<bool> mayBeTaken(ArrivalDesk* desk, ArrivalPtr arrival, Presence here) {
  const auto& claim = arrival->operation;
  const auto half = co_await askHalf(desk->source(claim), claim.id, claim.vm);
  if (half == SourceHalf::may_be_here) co_return true;
  if (half == SourceHalf::unknown) {
    co_await stand(
        desk, arrival, OperationState::uncertain,
        fmt::format("{} answers, but not what became of the move: until it does, what is "
                    "here stays as it is",
                    fromOf(claim)));
    co_return false;
  }
  // What runs here runs; what stands still is not set going beside one that may run elsewhere.
  if (half == SourceHalf::not_known && here.state == State::running) co_return true;
  const auto from = fromOf(claim), vm = vmOf(claim);
  std::vector<std::string> advice{
      fmt::format("find out first where it is, at {} or wherever it was moved or started since: "
                  "virsh domstate --reason {}",
                  from, vm)};
  if (active(here))
    advice.push_back(
        fmt::format("if it runs elsewhere, or ran there since, end the copy here, which "
                    "is out of date: virsh destroy {}",
                    vm));
  if (here.defined)
    advice.push_back(fmt::format("if it is not to stay here: virsh undefine {}", vm));
  if (here.state != State::running)
    advice.push_back(
        fmt::format("only if what is here is the newest, and it runs nowhere else: "
                    "virsh {} {}",
                    active(here) ? "resume" : "start", vm));
  co_await leave(desk, arrival,
                 fmt::format("it is {} here, but {}", name(here.state),
                             half == SourceHalf::not_known
                                 ? fmt::format("{} knows nothing of the move any more", from)
                                 : fmt::format("the move has ended at {} without it", from)),
                 std::move(advice));
  co_return false;
}

asio::awaitable<void> destroyHere(ArrivalDesk* desk, ArrivalPtr arrival, SourceWord source) {
  if (!co_await noteEnding(desk, arrival)) co_return;
  ++arrival->acts;
  const auto done = co_await desk->here.destroy(arrival->operation.vm);
  if (!done) {
    co_await notEnded(desk, arrival, done.error());
    co_return;
  }
  arrival->failures = 0;
  desk->report(arrival->operation, Severity::error, "arrival.destroyed",
               fmt::format("the copy of {} here was ended: it runs at {}", vmOf(arrival->operation),
                           fromOf(arrival->operation)));
  co_await endAtSource(desk, arrival, source);
}

asio::awaitable<void> endAtSource(ArrivalDesk* desk, ArrivalPtr arrival, SourceWord source) {
  auto left = co_await undefineHere(desk, arrival, source.presence.value_or(Presence{}));
  if (!left) co_return;
  auto copies = co_await clearCopies(desk, arrival, source);
  if (!copies) co_return;
  const bool person = left->person || copies->person;
  auto next = released(arrival->operation);
  next.advice = std::move(copies->advice);
  for (auto& line : left->advice) next.advice.push_back(std::move(line));
  auto words = fmt::format("{} runs at {}, and not here{}", vmOf(next), fromOf(next),
                           person ? ", where something of it is left" : "");
  next = closed(std::move(next), person ? OperationState::needs_person : OperationState::failed,
                std::move(words), desk->clock.wall());
  if (!co_await desk->keep(arrival, std::move(next))) co_return;
  ++arrival->acts;
  arrival->grip = Grip::none;
  desk->ledger.release(arrival->operation.id);
  desk->report(arrival->operation, Severity::warning, "arrival.failed", arrival->operation.message);
}

asio::awaitable<void> stand(ArrivalDesk* desk, ArrivalPtr arrival, OperationState state,
                            std::string words) {
  const auto& claim = arrival->operation;
  if (claim.state == state && claim.message == words) co_return;
  std::ignore = co_await desk->step(arrival, state, std::move(words));
}

}  // namespace virtseer::act
