#include <fmt/format.h>

#include <algorithm>

#include "act/migration.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMovesKept = 50;
constexpr Millis kSlowPoll{1'000};
constexpr int kBusyTries = 24;
constexpr Millis kBusyPause{5'000};
/// Without a job and with the VM still there for so long, the way back is not under way.
constexpr Millis kNotComing{30'000};

bool standsStill(const RemoteVm& vm) {
  return vm.presence.state == Presence::State::paused ||
         vm.presence.state == Presence::State::incoming;
}

}  // namespace

asio::awaitable<void> Migration::watch() {
  const auto& clock = shared_.clock;
  auto started = clock.mono(), heard = started, ran = started;
  WatchView view;
  view.before = op_.before;
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
  const auto there = peer();
  if (!revive_asked_ && there) {
    addStep(op_, OperationState::verifying, words + ": it is to be started again there");
    co_await keep();
    const auto done = co_await there->revive(op_.id);
    if (done || silence(done.error())) {
      revive_asked_ = static_cast<bool>(done);
      co_return true;
    }
    words += "; " + printable(done.error().message);
  }
  advise(fmt::format("find out why it died at {}, then start it there: virsh start {}", toName(),
                     op_.vm.text()));
  co_await handOverFailed();
  co_await finish(OperationState::needs_person, std::move(words));
  co_return false;
}

asio::awaitable<void> Migration::failedWatch(std::string words) {
  const auto running = [](const Result<RemoteVm>& vm) {
    return vm && vm->presence.state == Presence::State::running;
  };
  std::string closed;
  if (op_.origin == OperationOrigin::returning)
    closed = "it has come back already once";
  else if (!op_.record.may_return || !shared_.context.policy(op_.vm).return_trip)
    closed = "its policy forbids the way back";
  else if (!running(co_await askThere()))
    closed = "it does not run there";
  if (closed.empty()) {
    co_await mustEnter(OperationState::returning, words);
    co_return;
  }
  co_await handOverFailed();
  adviseOnDisks();
  advise(fmt::format("look after {} at {}, or bring it back from there: virtseer migrate {} {}",
                     vmName(), toName(), op_.vm.text(), fromName()));
  co_await finish(OperationState::needs_person,
                  fmt::format("it runs at {}, and not well: {}; {}", toName(), words, closed));
}

/// What belongs to the VM follows it.
asio::awaitable<Result<void>> Migration::handOver(MoveOutcome outcome) {
  const auto there = peer();
  if (!there) co_return fail(Code::unreachable, toName() + " is not among the peers");
  CommitOrder order;
  order.autostart = op_.record.autostart;
  order.moves = shared_.context.moves(op_.vm);
  order.moves.push_back(pastMove(outcome));
  if (order.moves.size() > kMovesKept)
    order.moves.erase(order.moves.begin(),
                      order.moves.end() - static_cast<std::ptrdiff_t>(kMovesKept));
  co_return co_await there->commit(op_.id, std::move(order));
}

/// Once; the move is remembered here where it cannot be there, so that the VM is left alone for a
/// while wherever it goes next.
asio::awaitable<void> Migration::handOverFailed() {
  if (!co_await handOver(MoveOutcome::failed))
    shared_.context.moved(op_.vm, pastMove(MoveOutcome::failed));
}

asio::awaitable<void> Migration::commit() {
  bool taken_over = false;
  while (!taken_over) {
    const auto done = co_await handOver(MoveOutcome::done);
    taken_over = static_cast<bool>(done);
    if (taken_over) break;
    op_.message = fmt::format("it runs at {}, which is to be told so: {}", toName(),
                              printable(done.error().message));
    if (!silence(done.error())) {
      advise(fmt::format("{} did not take it over: {}", toName(), printable(done.error().message)));
      if (op_.record.autostart)
        advise(fmt::format("let it start with {}: virsh autostart {}", toName(), op_.vm.text()));
      shared_.context.moved(op_.vm, pastMove(MoveOutcome::done));
      break;
    }
    co_await pause(kSlowPoll);
  }
  if (taken_over)
    co_await deleteSetAside();
  else
    adviseOnDisks();
  if (const auto there = peer()) std::ignore = co_await there->release(op_.id);
  co_await finish(OperationState::done, fmt::format("{} runs at {}", vmName(), toName()));
}

void Migration::adviseOnDisks() {
  if (op_.record.set_aside.empty()) return;
  advise(fmt::format("its former disks at {} were kept as *.moved-{}: remove them once it is well",
                     fromName(), op_.id));
}

asio::awaitable<void> Migration::deleteSetAside() {
  for (const auto& path : op_.record.set_aside) {
    const auto done = co_await shared_.here.deleteVolume(path);
    if (!done)
      advise(fmt::format("{} at {} is out of date and could not be deleted ({})", printable(path),
                         fromName(), printable(done.error().message)));
  }
}

// The way back.

asio::awaitable<void> Migration::askForReturn() {
  for (int tries = 1;; ++tries) {
    const auto there = peer();
    const auto begun = there ? co_await there->sendBack(op_.id)
                             : Result<Operation>(fail(Code::unreachable, "unknown peer"));
    if (begun) {
      way_back_ = begun->id;
      addStep(op_, OperationState::returning, "as operation " + printable(way_back_));
      co_await keep();
      co_return;
    }
    way_back_error_ = printable(begun.error().message);
    op_.message = "the way back: " + way_back_error_;
    way_back_refused_ = !silence(begun.error());
    // Other moves are under way there: nothing was begun, and soon may be.
    if (begun.error().code != Code::busy || tries >= kBusyTries) co_return;
    co_await pause(kBusyPause);
  }
}

asio::awaitable<void> Migration::bringBack() {
  if (!taken_up_ && !std::exchange(way_back_asked_, true)) co_await askForReturn();
  Sides sides;
  while (!ended(op_.state)) {
    co_await pause(std::max(shared_.rules.poll, kSlowPoll));
    co_await ask(sides);
    if (co_await endOnWord(sides)) co_return;
    if (!sides.source || !sides.destination)
      co_await stand(OperationState::uncertain, "on its way back, and a host is silent");
    else if (co_await followReturn(sides))
      co_return;
  }
}

/// True if it has ended: the VM is here again, or stays there.
asio::awaitable<bool> Migration::followReturn(const Sides& sides) {
  using State = Presence::State;
  co_await stand(OperationState::returning, "on its way back");
  auto end = way_back_error_;
  bool over = way_back_refused_ || since(sides.since) >= kNotComing;
  if (const auto there = peer(); there && !way_back_.empty()) {
    const auto back = co_await there->operation(way_back_);
    if (back && !ended(back->state)) co_return false;
    if (back) {
      end = printable(back->message);
      over = true;
    }
  }
  const auto& here = *sides.source;
  const auto& away = sides.destination->presence;
  const bool here_alone = here.state == State::running && here.job == Presence::Job::none &&
                          (away.state == State::absent || away.state == State::off);
  if (here_alone && since(sides.since) >= kSettled) {
    co_await broughtBack();
    co_return true;
  }
  const bool away_alone =
      away.job == Presence::Job::none && (here.state == State::absent || here.state == State::off);
  if (!over || !away_alone) co_return false;
  co_await handOverFailed();
  adviseOnDisks();
  advise(fmt::format("look after {} at {}, where it is {}", vmName(), toName(), name(away.state)));
  co_await finish(OperationState::needs_person,
                  fmt::format("verification failed, and it did not come back from {}{}{}", toName(),
                              end.empty() ? "" : ": ", end));
  co_return true;
}

asio::awaitable<void> Migration::broughtBack() {
  co_await restoreAutostart();
  co_await deleteSetAside();
  if (const auto there = peer()) std::ignore = co_await there->release(op_.id);
  std::string why;
  for (const auto& step : op_.steps)
    if (step.state == OperationState::returning && !step.note.empty()) {
      why = step.note;
      break;
    }
  co_await finish(OperationState::returned,
                  fmt::format("{} runs at {} again, since verification failed at {}: {}", vmName(),
                              fromName(), toName(), why));
}

}  // namespace virtseer::act
