#include <fmt/format.h>

#include <algorithm>

#include "act/migration.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMovesKept = 50;
constexpr Millis kSlowPoll{1'000};
constexpr Millis kUnanswered{10'000};
constexpr int kHandOverTries = 5;
constexpr int kBusyTries = 24;
constexpr Millis kBusyPause{5'000};
constexpr std::string_view kAsOperation = "as operation ";
/// Without a job and with the VM still there for so long, the way back is not under way.
constexpr Millis kNotComing{30'000};

bool standsStill(const RemoteVm& vm) {
  return vm.presence.state == Presence::State::paused ||
         vm.presence.state == Presence::State::incoming;
}

bool gone(const Presence& side) {
  return side.state == Presence::State::absent || side.state == Presence::State::off;
}

/// Whether the operation that brings it back has found it here, and gone from there: only then does
/// it watch how it does here.
bool arrived(const Operation& back) {
  return back.state == OperationState::done ||
         std::ranges::find(back.steps, OperationState::verifying, &OperationStep::state) !=
             back.steps.end();
}

/// Whether it is here, and here alone. What does not run is the VM only if that is known to have
/// come; and what has left once more, or may have, is not to start here.
bool isBack(const Presence& here, const Presence& away, bool came) {
  if (here.job != Presence::Job::none || !gone(away)) return false;
  switch (here.state) {
    case Presence::State::running:
      return true;
    case Presence::State::paused:
      return came;
    case Presence::State::off:
      return came && !here.unexplained && !because(here, "migrated");
    case Presence::State::absent:
    case Presence::State::incoming:
      break;
  }
  return false;
}

}  // namespace

asio::awaitable<void> Migration::watch() {
  const auto& clock = shared_.clock;
  auto started = clock.mono(), heard = started, ran = started;
  WatchView view;
  view.before = op_.before;
  view.may_share = op_.record.may_share;
  for (;;) {
    const auto answer = co_await askThere();
    view.now.reset();
    if (answer) {
      heard = clock.mono();
      view.now = *answer;
      op_.after = answer->wellbeing;
      if (!standsStill(*answer)) ran = heard;
    }
    view.elapsed = since(started);
    view.silent = since(heard);
    view.still = since(ran);
    const auto judgement = judge(view, shared_.rules);
    switch (judgement.act) {
      case WatchAct::go_on:
        if (answer) op_.message = fmt::format("{} runs at {} and is watched", vmName(), toName());
        break;
      case WatchAct::held:
      case WatchAct::shut_down:
        co_await mustEnter(OperationState::committing, judgement.words);
        co_return;
      case WatchAct::failed:
        co_await failedWatch(judgement.words);
        co_return;
      case WatchAct::died:
        if (!co_await reviveWatched(judgement.words)) co_return;
        view.revived = true;
        started = ran = clock.mono();
        break;
      case WatchAct::silent:
        co_await mustEnter(OperationState::uncertain, judgement.words);
        report("operation.uncertain", Severity::warning,
               fmt::format("migration of {} to {}: {}", vmName(), toName(), judgement.words));
        co_return;
      case WatchAct::elsewhere:
        co_await mustEnter(OperationState::settling, judgement.words);
        co_return;
    }
    co_await pause(std::max(shared_.rules.poll, kSlowPoll));
  }
}

/// False if the operation ended: it has been revived before, or may not be.
asio::awaitable<bool> Migration::reviveWatched(std::string words) {
  const auto note = words + ": it is to be started again there";
  if (!revive_asked_ && op_.steps.back().note != note) {
    addStep(op_, OperationState::verifying, note);
    co_await keep();
  }
  const auto asked = co_await askToRevive();
  if (asked) co_return true;
  words += "; " + printable(asked.error().message);
  adviseOnDeath();
  co_await handOverFailed();
  adviseOnDisks();
  co_await finish(OperationState::needs_person, std::move(words));
  co_return false;
}

asio::awaitable<void> Migration::failedWatch(std::string words) {
  const auto running = [](const Result<RemoteVm>& vm) {
    return vm && vm->presence.state == Presence::State::running;
  };
  std::string closed;
  const auto now = co_await askThere();
  if (op_.origin == OperationOrigin::returning)
    closed = "it has come back already once";
  else if (!op_.record.may_return || !shared_.context.policy(op_.vm).return_trip)
    closed = "its policy forbids the way back";
  else if (!running(now))
    closed = now ? "the way back is for a VM that runs" : toName() + " is silent";
  if (closed.empty()) {
    co_await mustEnter(OperationState::returning, words);
    co_return;
  }
  co_await handOverFailed();
  adviseOnDisks();
  advise(fmt::format("look after {} at {}, or bring it back from there: virtseer migrate {} {}",
                     vmName(), toName(), op_.vm.text(), fromName()));
  co_await finish(OperationState::needs_person,
                  fmt::format("{}, and not well: {}; {}", whereThere(), words, closed));
}

/// As the destination said last: "it runs at b".
std::string Migration::whereThere() const {
  if (!last_there_ || last_there_->state == Presence::State::running)
    return "it runs at " + toName();
  return fmt::format("it is {} at {}", name(last_there_->state), toName());
}

/// What belongs to the VM follows it. Only its own destination's answer counts; cancelled if the VM
/// turns out to have died there, and was to be handed over as well.
asio::awaitable<Result<void>> Migration::handOver(MoveOutcome outcome) {
  const auto now = co_await askThere();
  if (!now) co_return fail(Code::unreachable, toName() + " is silent");
  if (outcome == MoveOutcome::done && now->presence.state == Presence::State::off &&
      (now->presence.crashed || now->presence.unexplained))
    co_return fail(Code::cancelled, "it died before it was handed over");
  CommitOrder order;
  order.autostart = op_.record.autostart;
  order.moves = shared_.context.moves(op_.vm);
  order.moves.push_back(pastMove(outcome));
  if (order.moves.size() > kMovesKept)
    order.moves.erase(order.moves.begin(),
                      order.moves.end() - static_cast<std::ptrdiff_t>(kMovesKept));
  const auto there = peer();
  if (!there) co_return fail(Code::unreachable, toName() + " is not the host that it was");
  co_return co_await there->commit(op_.id, std::move(order));
}

/// Within a bound; the move is remembered here where it cannot be there, so that the VM is left
/// alone for a while wherever it goes next.
asio::awaitable<void> Migration::handOverFailed() {
  for (int tries = 0; tries < kHandOverTries; ++tries) {
    const auto done = co_await handOver(MoveOutcome::failed);
    if (done) {
      co_await handOverToken();
      co_return;
    }
    if (!putOff(done.error())) break;
    co_await pause(kSlowPoll);
  }
  shared_.context.moved(op_.vm, pastMove(MoveOutcome::failed));
  if (op_.record.autostart)
    advise(fmt::format("let it start with its host, wherever it stays: virsh autostart {}",
                       op_.vm.text()));
  co_await handOverToken();
}

/// Within a bound, as above: what holds the VM there ends by itself too, an hour later.
asio::awaitable<void> Migration::releaseThere() {
  for (int tries = 0; tries < kHandOverTries; ++tries) {
    const auto there = peer();
    if (!there) co_return;
    const auto done = co_await there->release(op_.id);
    if (done || !putOff(done.error())) co_return;
    co_await pause(kSlowPoll);
  }
}

asio::awaitable<void> Migration::commit() {
  Sides sides;
  auto heard = shared_.clock.mono();
  for (;;) {
    const auto done = co_await handOver(MoveOutcome::done);
    if (done) {
      co_await committed(true);
      co_return;
    }
    // Nobody watched it since: what died meanwhile is not done.
    if (done.error().code == Code::cancelled) {
      co_await mustEnter(OperationState::verifying, done.error().message);
      co_return;
    }
    const auto why = printable(done.error().message);
    if (!putOff(done.error())) {
      advise(fmt::format("{} did not take it over: {}", toName(), why));
      if (op_.record.autostart)
        advise(fmt::format("let it start with {}: virsh autostart {}", toName(), op_.vm.text()));
      shared_.context.moved(op_.vm, pastMove(MoveOutcome::done));
      co_await committed(false);
      co_return;
    }
    if (!silence(done.error())) heard = shared_.clock.mono();
    const auto words = fmt::format("{}, which is to be told so: {}", whereThere(), why);
    co_await stand(
        since(heard) < kUnanswered ? OperationState::committing : OperationState::uncertain, words);
    if (fenced_) {
      co_await ask(sides);
      if (co_await endOnWord(sides)) co_return;
    }
    co_await pause(kSlowPoll);
  }
}

/// The token of its agent follows the VM, which is the destination's by now; what goes wrong is
/// told and undoes nothing. A VM that goes back has left its token there.
asio::awaitable<void> Migration::handOverToken() {
  if (!shared_.context.tokens || !op_.return_of.empty()) co_return;
  Result<void> done;
  bool taken = false;
  for (int tries = 0; tries < kHandOverTries; ++tries) {
    done = co_await sendToken(taken);
    if (done || !putOff(done.error())) break;
    co_await pause(done.error().code == Code::busy ? kBusyPause : kSlowPoll);
  }
  // Given up, since the daemon stops: its next life does it.
  if (done || done.error().code == Code::cancelled) co_return;
  const auto why = printable(done.error().message);
  std::string told;
  if (taken) {
    advise(fmt::format("delete the token of its agent at {}, where it would still be taken: {}",
                       fromName(), why));
    told = fmt::format("the token of {}'s agent is at {} and could not be deleted here", vmName(),
                       toName());
  } else {
    // Of what nobody answered it is not known whether it arrived.
    const auto* how = silence(done.error()) ? "may not have followed it" : "did not follow it";
    advise(fmt::format("its agent calls by a token that {} ({}): enroll it at {}", how, why,
                       toName()));
    told = fmt::format("the token of {}'s agent {} to {}", vmName(), how, toName());
  }
  report("vm.token_left", Severity::warning, fmt::format("{}: {}", told, why));
}

/// Nothing to send is no failure. `taken`: the destination has it.
asio::awaitable<Result<void>> Migration::sendToken(bool& taken) {
  auto& tokens = *shared_.context.tokens;
  // A secret is for the destination alone, whoever has its address by now.
  if (const auto answer = co_await askThere(); !answer) co_return fail(answer.error());
  auto token = co_await tokens.read(op_.vm);
  if (!token) co_return fail(token.error());
  if (!*token) co_return Result<void>{};
  const auto there = peer();
  if (!there) co_return fail(Code::unreachable, toName() + " is not the host that it was");
  auto answer = co_await there->takeToken(op_.id, std::move(**token));
  if (!answer) co_return answer;
  taken = true;
  // One that is withdrawn there must not be good here when the VM comes back.
  co_return co_await tokens.drop(op_.vm);
}

asio::awaitable<void> Migration::committed(bool taken_over) {
  if (taken_over)
    co_await deleteSetAside();
  else
    adviseOnDisks();
  co_await handOverToken();
  if (const auto there = peer()) std::ignore = co_await there->release(op_.id);
  co_await finish(OperationState::done, [this] {
    const auto state = last_there_ ? last_there_->state : Presence::State::running;
    switch (state) {
      case Presence::State::off:
        return fmt::format("{} moved to {}, and was shut down there", vmName(), toName());
      case Presence::State::absent:
        return fmt::format("{} moved to {}, and is not there any more", vmName(), toName());
      case Presence::State::paused:
      case Presence::State::incoming:
        return fmt::format("{} moved to {}, where it is {}", vmName(), toName(), name(state));
      case Presence::State::running:
        break;
    }
    return fmt::format("{} runs at {}", vmName(), toName());
  }());
}

void Migration::adviseOnDisks() {
  if (op_.record.set_aside.empty()) return;
  advise(fmt::format("its former disks at {} were kept as *.moved-{}: remove them once it is well",
                     fromName(), op_.id));
}

asio::awaitable<void> Migration::deleteSetAside() {
  for (const auto& path : op_.record.set_aside) {
    auto done = co_await shared_.here.deleteVolume(path);
    for (int tries = 1; tries < kHandOverTries && !done && silence(done.error()); ++tries) {
      co_await pause(kSlowPoll);
      done = co_await shared_.here.deleteVolume(path);
    }
    if (!done)
      advise(fmt::format("{} at {} is out of date and could not be deleted ({})", printable(path),
                         fromName(), printable(done.error().message)));
  }
}

// The way back.

/// Once more for as long as it is not known whether it was begun: the daemon there begins it once,
/// however often it is asked. Nothing if that is known, or it was refused.
asio::awaitable<void> Migration::askForReturn() {
  const auto now = shared_.clock.mono();
  if (!way_back_.empty() || way_back_refused_ || now < way_back_due_) co_return;
  way_back_due_ = now + kBusyPause;
  const auto there = peer();
  if (!there || !co_await askThere()) co_return;
  const auto begun = co_await there->sendBack(op_.id);
  if (begun) {
    way_back_ = begun->id;
    way_back_error_.clear();
    addStep(op_, OperationState::returning, std::string(kAsOperation) + printable(way_back_));
    co_await keep();
    co_return;
  }
  way_back_error_ = printable(begun.error().message);
  way_back_refused_ = !putOff(begun.error()) || ++way_back_tries_ >= kBusyTries;
}

/// What an earlier life of the daemon had heard of it.
void Migration::recallReturn() {
  for (const auto& step : op_.steps)
    if (step.state == OperationState::returning && step.note.starts_with(kAsOperation))
      way_back_ = step.note.substr(kAsOperation.size());
}

asio::awaitable<void> Migration::bringBack() {
  recallReturn();
  Sides sides;
  while (!ended(op_.state)) {
    co_await ask(sides);
    if (co_await endOnWord(sides)) co_return;
    const auto* away = sides.destination ? &sides.destination->presence : nullptr;
    if (away && away->state == Presence::State::running && away->job == Presence::Job::none)
      co_await askForReturn();
    if (!sides.source || !sides.destination)
      co_await stand(OperationState::uncertain, "on its way back, and a host is silent");
    else if (co_await followReturn(sides))
      co_return;
    co_await pause(std::max(shared_.rules.poll, kSlowPoll));
  }
}

/// True if it has ended: the VM is here again, or stays there.
asio::awaitable<bool> Migration::followReturn(const Sides& sides) {
  co_await stand(OperationState::returning, way_back_error_.empty()
                                                ? "on its way back"
                                                : "on its way back: " + way_back_error_);
  auto end = way_back_error_;
  // While it may still be asked for, or its answer was lost, nothing is over.
  const bool open = way_back_.empty() && !way_back_refused_ &&
                    sides.destination->presence.state == Presence::State::running;
  bool over = way_back_refused_ || (!open && since(sides.since) >= kNotComing);
  bool came = false;
  if (const auto there = peer(); there && !way_back_.empty()) {
    const auto back = co_await there->operation(way_back_);
    if (back ? !ended(back->state) : putOff(back.error())) co_return false;
    if (back) {
      end = printable(back->message);
      over = true;
      came = arrived(*back);
    }
  }
  if (isBack(*sides.source, sides.destination->presence, came)) {
    if (since(sides.since) < kSettled) co_return false;
    co_await broughtBack(*sides.source);
    co_return true;
  }
  if (!over) co_return false;
  co_return co_await notBack(sides, came, std::move(end));
}

asio::awaitable<void> Migration::broughtBack(Presence here) {
  const bool fell = here.state == Presence::State::off && died(here);
  const bool held = here.state == Presence::State::paused;
  co_await restoreAutostart();
  // Whoever looks after it may want them yet.
  if (fell || held)
    adviseOnDisks();
  else
    co_await deleteSetAside();
  co_await releaseThere();
  if (held)
    advise(fmt::format("find out why it stands still at {}: virsh domstate --reason {}", fromName(),
                       op_.vm.text()));
  if (fell) {
    advise(fmt::format("find out why it died at {}, then start it there: virsh start {}",
                       fromName(), op_.vm.text()));
  }
  if (fell || held) shared_.context.moved(op_.vm, pastMove(MoveOutcome::returned));
  std::string why;
  for (const auto& step : op_.steps)
    if (step.state == OperationState::returning && !step.note.empty()) {
      why = step.note;
      break;
    }
  const auto where = here.state == Presence::State::running
                         ? fmt::format("{} runs at {} again", vmName(), fromName())
                         : fmt::format("{} is {} at {}, where it came back to", vmName(),
                                       name(here.state), fromName());
  co_await finish(fell || held ? OperationState::needs_person : OperationState::returned,
                  fmt::format("{}, since verification failed at {}: {}", where, toName(), why));
}

/// The way back is over, and the VM is not known to be here. True if the operation has ended: it
/// stays there; or it is at neither host, or what stands still here may not be whole: then nothing
/// is handed over to anybody.
asio::awaitable<bool> Migration::notBack(const Sides& sides, bool came, std::string end) {
  const auto& here = *sides.source;
  const auto& away = sides.destination->presence;
  const auto because_of = end.empty() ? "" : ": " + end;
  const bool unclear = here.job == Presence::Job::none && gone(away) &&
                       (came ? gone(here) : here.state == Presence::State::paused);
  if (unclear) {
    if (since(sides.since) < (came ? kSettled : kGivenUp)) co_return false;
    adviseOnDisks();
    advise(fmt::format("look at both hosts before anything is started: virsh domstate --reason {}",
                       op_.vm.text()));
    if (op_.record.autostart)
      advise(fmt::format("let it start with its host, wherever it stays: virsh autostart {}",
                         op_.vm.text()));
    shared_.context.moved(op_.vm, pastMove(came ? MoveOutcome::returned : MoveOutcome::failed));
    co_await finish(
        OperationState::needs_person,
        came ? fmt::format("verification failed at {}, and it came back to {}, where it is {} by "
                           "now{}",
                           toName(), fromName(), name(here.state), because_of)
             : fmt::format("verification failed at {}, and it is {} at {}, where it may have come "
                           "back to{}",
                           toName(), name(here.state), fromName(), because_of));
    co_return true;
  }
  if (away.job != Presence::Job::none || !gone(here)) co_return false;
  co_await handOverFailed();
  adviseOnDisks();
  advise(fmt::format("look after {} at {}, where it is {}", vmName(), toName(), name(away.state)));
  co_await finish(
      OperationState::needs_person,
      fmt::format("verification failed, and it did not come back from {}{}", toName(), because_of));
  co_return true;
}

}  // namespace virtseer::act
