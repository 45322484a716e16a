#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "act/arrival_acts.h"
#include "act/settle.h"
#include "base/log.h"
#include "base/text.h"

// The watch over one arrival: what is asked, and what follows from the answers.

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

using State = Presence::State;
using ArrivalPtr = std::shared_ptr<Arrival>;

constexpr Millis kPoll{500};
constexpr Millis kSlowPoll{2'000};
/// Of one question to the source.
constexpr Millis kAnswer{3'000};
/// A source that has not said in this time that the VM is the destination's will not say it.
constexpr Millis kLastWord{3'600'000};
/// Between two questions whether the source's half of the move has ended.
constexpr Millis kEndAsked{10'000};

Millis since(const ArrivalDesk& desk, const std::optional<Arrival::Mono>& from) {
  if (!from) return Millis(0);
  return std::chrono::duration_cast<Millis>(desk.clock.mono() - *from);
}

/// What is left until a copy that runs here may be suspended; nothing if that is not near.
std::optional<Millis> untilUnheard(const ArrivalDesk& desk, const Arrival& arrival) {
  if (!arrival.running_since || arrival.operation.confirmed) return std::nullopt;
  const auto left = kUnheard - since(desk, arrival.running_since);
  return left > Millis(0) ? std::optional(left) : std::nullopt;
}

bool needsSource(const Arrival& arrival, const Presence& here) {
  if (arrival.operation.state == OperationState::reserved) return false;
  if (here.state == State::incoming) return false;
  return here.state != State::paused || here.job == Presence::Job::none;
}

asio::awaitable<SourceWord> ask(ArrivalDesk* desk, ArrivalPtr arrival) {
  const auto& claim = arrival->operation;
  const auto left = untilUnheard(*desk, *arrival).value_or(kAnswer);
  // One that would end just before then lasts until then: yet another would end long after it.
  const auto limit = left <= kAnswer + kPoll ? std::max(left, kPoll) : kAnswer;
  const auto word = co_await askSource(desk->source(claim), claim.vm, claim.from,
                                       desk->context.pause, limit, arrival->silent);
  arrival->silent = !word.presence;
  co_return word;
}

/// Keeps whether the copy here can have done anything yet.
void noteLife(Arrival& arrival, const Result<Presence>& here) {
  if (!here)
    arrival.unwatched = true;
  else if (here->state == State::incoming)
    arrival.unwatched = false;
  else if (here->state == State::running || (active(*here) && here->job == Presence::Job::none))
    arrival.ran = true;
}

/// Keeps the times since when each side runs.
void noteTimes(const ArrivalDesk& desk, Arrival& arrival, const Presence& here,
               const SourceWord& source) {
  const auto now = desk.clock.mono();
  if (here.state != State::running)
    arrival.running_since.reset();
  else if (!arrival.running_since)
    arrival.running_since = now;
  const bool runs_there = source.presence && source.presence->state == State::running &&
                          source.presence->job != Presence::Job::migration_out;
  if (!runs_there)
    arrival.source_running_since.reset();
  else if (!arrival.source_running_since)
    arrival.source_running_since = now;
  if (!source.presence)
    arrival.source_said_since.reset();
  else if (!arrival.source_said_since || source.presence != arrival.source_said)
    arrival.source_said_since = now;
  arrival.source_said = source.presence;
}

/// Nothing of it was here until now.
asio::awaitable<void> expect(ArrivalDesk* desk, ArrivalPtr arrival, Presence here) {
  if (active(here)) {
    std::ignore = co_await desk->step(arrival, OperationState::migrating,
                                      fmt::format("it comes from {}", fromOf(arrival->operation)));
    arrival->nudged = true;
    co_return;
  }
  if (desk->holdsRoom(arrival->operation.id)) co_return;
  const auto closed =
      co_await desk->close(arrival, OperationState::failed,
                           fmt::format("{} never came: {} did not renew its reservation",
                                       vmOf(arrival->operation), fromOf(arrival->operation)));
  if (closed)
    desk->report(arrival->operation, Severity::warning, "arrival.failed",
                 arrival->operation.message);
}

/// It does not run here, and its source does not say that it has it: that may mend itself, but the
/// VM is not kept from going anywhere for ever.
asio::awaitable<void> nowhere(ArrivalDesk* desk, ArrivalPtr arrival, std::string words) {
  if (!arrival->nowhere_since) arrival->nowhere_since = desk->clock.mono();
  if (since(*desk, arrival->nowhere_since) < kLastWord) {
    co_await stand(desk, arrival, OperationState::uncertain, std::move(words));
    co_return;
  }
  const auto name = vmOf(arrival->operation);
  const auto closed =
      co_await desk->close(arrival, OperationState::needs_person, std::move(words),
                           {fmt::format("find out at {} where it is, before anything is started: "
                                        "virsh domstate --reason {}",
                                        fromOf(arrival->operation), name)});
  if (closed)
    desk->report(arrival->operation, Severity::error, "arrival.failed", arrival->operation.message);
}

/// We ended it here since it ran at its source, and by now it is off there: what is there is newer.
asio::awaitable<void> endedTwice(ArrivalDesk* desk, ArrivalPtr arrival) {
  const auto from = fromOf(arrival->operation), name = vmOf(arrival->operation);
  const auto closed = co_await desk->close(
      arrival, OperationState::needs_person,
      fmt::format("the copy here was ended since it ran at {}, where it is off by now", from),
      {fmt::format("what {} has of it is newer: start it there if it is to run: virsh start {}",
                   from, name),
       fmt::format("then remove its definition here: virsh undefine {}", name)});
  if (closed)
    desk->report(arrival->operation, Severity::error, "arrival.failed", arrival->operation.message);
}

/// It was here and is not any more, before its source was proven off.
asio::awaitable<void> wentAway(ArrivalDesk* desk, ArrivalPtr arrival, Presence here,
                               SourceWord source) {
  const auto from = fromOf(arrival->operation);
  if (!source.presence) {
    co_await nowhere(desk, arrival, fmt::format("it is not here any more, and {} is silent", from));
    co_return;
  }
  const auto& there = *source.presence;
  if (active(there)) arrival->nowhere_since.reset();
  if (there.state == State::running) {
    if (since(*desk, arrival->source_running_since) >= kSourceRuns)
      co_await endAtSource(desk, arrival, source);
    co_return;
  }
  if (active(there)) {
    co_await stand(desk, arrival, OperationState::migrating,
                   fmt::format("it is not here any more; at {} it is {}", from, name(there.state)));
    co_return;
  }
  if (here.state == State::off && mayBeEnded(arrival->operation)) {
    co_await endedTwice(desk, arrival);
    co_return;
  }
  if (here.state == State::off) {
    if (co_await mayBeTaken(desk, arrival, here))
      co_await confirmHere(desk, arrival,
                           fmt::format("it came and ended here ({}), and is off at {}",
                                       printable(here.reason), from));
    co_return;
  }
  co_await nowhere(desk, arrival, fmt::format("it is neither here nor at {}", from));
}

/// It runs or stands still here, and nothing is to be done.
asio::awaitable<void> waitOn(ArrivalDesk* desk, ArrivalPtr arrival, Presence here,
                             SourceWord source) {
  // It may run there again in a moment, and ending it here may take effect late.
  if (mayBeEnded(arrival->operation) && source.presence && !active(*source.presence) &&
      since(*desk, arrival->source_said_since) >= kGivenUp && !mayStillEnd(*desk, *arrival)) {
    co_await notTheVm(desk, arrival, here);
    co_return;
  }
  const auto from = fromOf(arrival->operation);
  if (!source.presence) {
    const bool long_silent =
        here.state == State::running && since(*desk, arrival->running_since) >= kUnheard;
    const auto silence =
        source.asked
            ? fmt::format("the daemon of {} is silent, though something there answers", from)
            : fmt::format("{} cannot be asked: which of the peers it is, is not known", from);
    if (long_silent)
      co_await stand(desk, arrival, OperationState::uncertain, "it runs here; " + silence);
    co_return;
  }
  const bool free = arrival->grip == Grip::none || here.state == State::running;
  if (arrival->operation.state == OperationState::uncertain && free)
    co_await stand(desk, arrival, OperationState::migrating, from + " answers again");
}

std::string whyConfirmed(const Arrival& arrival, const SourceWord& source) {
  if (arrival.grip == Grip::suspended && !source.presence)
    return fmt::format("somebody resumed it here, which is taken for the word that {} is off",
                       fromOf(arrival.operation));
  return fmt::format("it is off at {}", fromOf(arrival.operation));
}

asio::awaitable<void> judged(ArrivalDesk* desk, ArrivalPtr arrival, Presence here,
                             SourceWord source) {
  const bool ours =
      here.state == State::running ? arrival->grip == Grip::suspended : arrival->grip != Grip::none;
  const ArrivalView view{.here = here,
                         .at_source = source.presence,
                         .source_host_answers = source.host_answers,
                         .source_known = source.asked,
                         .suspended = ours,
                         .confirmed = arrival->operation.confirmed,
                         .ending = mayBeEnded(arrival->operation),
                         .running_for = since(*desk, arrival->running_since),
                         .source_running_for = since(*desk, arrival->source_running_since),
                         .source_unchanged = since(*desk, arrival->source_said_since)};
  const auto act = judge(view);
  const bool takes = act == ArrivalAct::confirm || act == ArrivalAct::resume;
  // A person who resumed it here has decided that already.
  const bool decided = here.state == State::running && ours;
  if (takes && source.presence && !decided && !co_await mayBeTaken(desk, arrival, here)) co_return;
  switch (act) {
    case ArrivalAct::wait:
      co_await waitOn(desk, arrival, here, source);
      break;
    case ArrivalAct::confirm:
      co_await confirmHere(desk, arrival, whyConfirmed(*arrival, source));
      break;
    case ArrivalAct::suspend:
      co_await suspendHere(desk, arrival);
      break;
    case ArrivalAct::resume:
      std::ignore = co_await resumeHere(
          desk, arrival,
          fmt::format("at {} it is {}", fromOf(arrival->operation), name(source.presence->state)));
      arrival->nudged = true;
      break;
    case ArrivalAct::destroy:
      co_await destroyHere(desk, arrival, source);
      break;
    case ArrivalAct::gone:
      co_await wentAway(desk, arrival, here, source);
      break;
  }
}

/// Both copies run though this one was confirmed: whichever is ended, data may be lost.
asio::awaitable<void> conflict(ArrivalDesk* desk, ArrivalPtr arrival) {
  auto next = arrival->operation;
  next.advice = {fmt::format("end one of the two at once: virsh destroy {}", vmOf(next)),
                 "then check its disks: both have written"};
  auto words = fmt::format("it runs here and at {}", fromOf(next));
  next =
      closed(std::move(next), OperationState::needs_person, std::move(words), desk->clock.wall());
  if (!co_await desk->keep(arrival, std::move(next))) co_return;
  desk->ledger.release(arrival->operation.id);
  desk->report(
      arrival->operation, Severity::error, "arrival.conflict",
      fmt::format("{} runs here and at {}", vmOf(arrival->operation), fromOf(arrival->operation)));
}

/// For a VM that is this host's, though its source has not said all that it had to say: who heard
/// there that this host is off may start it there, too.
std::vector<std::string> adviceAlone(const Operation& claim, const Presence& here) {
  const auto from = fromOf(claim), name = vmOf(claim);
  const auto autostart = fmt::format("if it is to start with this host: virsh autostart {}", name);
  if (here.state == State::running) return {autostart};
  if (active(here))
    return {fmt::format("find out why it stands still: virsh domstate --reason {}", name),
            fmt::format("only once you have made sure that {} does not run it: virsh resume {}",
                        from, name),
            autostart};
  if (here.state == State::absent)
    return {
        fmt::format("find out at {} where it is, before anything is started: virsh domstate "
                    "--reason {}",
                    from, name)};
  return {
      fmt::format("start it at one host only; make sure first that {} does not run it, and "
                  "undefine it there: then virsh start {}",
                  from, name)};
}

/// The source never said that it is done: what it would have told is not known.
asio::awaitable<void> unspoken(ArrivalDesk* desk, ArrivalPtr arrival, Presence here,
                               std::string why, std::vector<std::string> advice = {}) {
  auto next = arrival->operation;
  const bool runs = here.state == State::running;
  next.advice = adviceAlone(next, here);
  for (auto& line : advice) next.advice.push_back(std::move(line));
  auto words = runs ? "it runs here, and " + why
                    : fmt::format("it is {} here, and {}", name(here.state), why);
  next = closed(std::move(next), runs ? OperationState::done : OperationState::needs_person,
                std::move(words), desk->clock.wall());
  if (!co_await desk->keep(arrival, std::move(next))) co_return;
  desk->ledger.release(arrival->operation.id);
  desk->report(arrival->operation, runs ? Severity::warning : Severity::error,
               runs ? "arrival.done" : "arrival.failed", arrival->operation.message);
}

/// As where a person said there that this host is off for good, and was wrong.
asio::awaitable<void> notWaitedFor(ArrivalDesk* desk, ArrivalPtr arrival, Presence here,
                                   Presence there) {
  const auto from = fromOf(arrival->operation);
  std::vector<std::string> advice;
  if (there.defined && active(here))
    advice.push_back(
        fmt::format("{} still has a definition of it; if it is to stay here, remove "
                    "that one there: virsh undefine {}",
                    from, vmOf(arrival->operation)));
  co_await unspoken(desk, arrival, here,
                    fmt::format("the move has ended at {} without its last word", from),
                    std::move(advice));
}

/// Whether the source's half has ended, though it has not said so: asked now and then of a source
/// that answers and does not have the VM.
asio::awaitable<bool> sourceHasEnded(ArrivalDesk* desk, ArrivalPtr arrival, SourceWord source) {
  const auto& claim = arrival->operation;
  if (!claim.confirmed || !source.presence || active(*source.presence)) co_return false;
  const auto& last = arrival->end_asked ? arrival->end_asked : arrival->confirmed_since;
  if (!last || since(*desk, last) < kEndAsked) co_return false;
  arrival->end_asked = desk->clock.mono();
  co_return co_await endedAtSource(desk->source(claim), claim.id, claim.vm);
}

/// The source was proven off; its daemon watches how the VM does.
asio::awaitable<void> afterwards(ArrivalDesk* desk, ArrivalPtr arrival, Presence here,
                                 SourceWord source, bool ended_there) {
  if (!arrival->confirmed_since) arrival->confirmed_since = desk->clock.mono();
  if (!source.presence || !active(*source.presence)) co_await undoLate(desk, arrival, here);
  if (since(*desk, arrival->source_running_since) >= kSourceRuns) {
    if (here.state == State::running) co_await conflict(desk, arrival);
    if (!active(here))
      std::ignore = co_await desk->close(
          arrival, OperationState::returned,
          fmt::format("{} runs at {} again", vmOf(arrival->operation), fromOf(arrival->operation)));
    co_return;
  }
  if (ended_there && source.presence)
    co_await notWaitedFor(desk, arrival, here, *source.presence);
  else if (since(*desk, arrival->confirmed_since) >= kLastWord)
    co_await unspoken(
        desk, arrival, here,
        fmt::format("{} never said that the move is complete", fromOf(arrival->operation)));
}

/// The VM is this host's, but an attempt to suspend it may still take effect.
asio::awaitable<void> lookForLate(ArrivalDesk* desk, ArrivalPtr arrival) {
  const auto here = co_await desk->here.presence(arrival->operation.vm);
  const auto turn = arrival->turn.tryTake();
  if (!turn) co_return;
  // It left, and comes once more.
  const bool again = desk->of(arrival->operation.vm) != nullptr;
  if (here && !again) co_await undoLate(desk, arrival, *here);
  if (again || !mayStillStop(*desk, *arrival)) arrival->grip = Grip::none;
}

Millis nextLook(const ArrivalDesk& desk, const Arrival& arrival) {
  if (arrival.operation.state == OperationState::reserved || arrival.operation.confirmed)
    return kSlowPoll;
  return std::min(kPoll, untilUnheard(desk, arrival).value_or(kPoll));
}

}  // namespace

asio::awaitable<void> lookAfter(ArrivalDesk* desk, ArrivalPtr arrival) {
  if (arrival->over()) {
    co_await lookForLate(desk, arrival);
    co_return;
  }
  const auto acts = arrival->acts;
  const auto here = co_await desk->here.presence(arrival->operation.vm);
  noteLife(*arrival, here);
  if (!here) co_return;
  SourceWord source;
  if (here->state == State::running && !arrival->running_since)
    arrival->running_since = desk->clock.mono();
  if (needsSource(*arrival, *here)) source = co_await ask(desk, arrival);
  const bool ended_there = co_await sourceHasEnded(desk, arrival, source);
  // Whoever acts meanwhile makes these facts old.
  const auto turn = arrival->turn.tryTake();
  if (!turn || arrival->acts != acts || arrival->over()) co_return;
  if (arrival->operation.state == OperationState::reserved) {
    co_await expect(desk, arrival, *here);
    co_return;
  }
  noteTimes(*desk, *arrival, *here, source);
  if (active(*here)) arrival->nowhere_since.reset();
  if (active(*here)) desk->holdRoom(arrival->operation);
  if (arrival->operation.confirmed) {
    co_await afterwards(desk, arrival, *here, source, ended_there);
    co_return;
  }
  if (here->state == State::running && arrival->grip == Grip::none &&
      arrival->operation.state == OperationState::migrating && !mayBeEnded(arrival->operation))
    co_await stand(desk, arrival, OperationState::migrating, std::string(kRunsHere));
  co_await settleGrip(desk, arrival, *here);
  co_await judged(desk, arrival, *here, source);
}

asio::awaitable<void> watchArrival(ArrivalDesk* desk, ArrivalPtr arrival) {
  const auto done = [&] {
    const auto state = arrival->operation.state;
    return ended(state) && (state != OperationState::done || arrival->grip != Grip::suspending);
  };
  while (!done() && !desk->stopping) {
    try {
      co_await lookAfter(desk, arrival);
    } catch (const std::exception& error) {
      // A copy that nobody watches is the worst: the next look may do better.
      if (desk->stopping) throw;
      log(Level::error, "arrival " + arrival->operation.id + ": " + error.what());
    }
    if (done() || desk->stopping) co_return;
    co_await restUntil(desk->context.pause, nextLook(*desk, *arrival), arrival);
  }
}

}  // namespace virtseer::act
