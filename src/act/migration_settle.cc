#include <fmt/format.h>

#include <algorithm>

#include "act/arrivals.h"
#include "act/migration.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

/// Of an act here that libvirt refuses, or does not answer to: then a person is told.
constexpr int kTries = 20;
constexpr Millis kRetry{1'000};
/// Of asking the destination to start what died there, while it is not sure yet that it may.
constexpr int kReviveRefusals = 40;

/// Takes for granted that nothing moves any more.
bool endsTheMove(Verdict verdict) {
  return verdict == Verdict::stayed || verdict == Verdict::resume_source ||
         verdict == Verdict::restart_source || verdict == Verdict::lost;
}

bool active(const Presence& side) {
  return side.state != Presence::State::absent && side.state != Presence::State::off;
}

std::optional<Presence> presenceOf(const std::optional<RemoteVm>& vm) {
  if (!vm) return std::nullopt;
  return vm->presence;
}

}  // namespace

asio::awaitable<void> Migration::ask(Sides& sides) {
  auto here = co_await shared_.here.presence(op_.vm);
  std::optional<Presence> source;
  if (here) source = std::move(*here);
  std::optional<RemoteVm> destination;
  if (auto answer = co_await askThere()) destination = std::move(*answer);
  const bool same = sides.asked && source == sides.source &&
                    presenceOf(destination) == presenceOf(sides.destination);
  if (!same) sides.since = shared_.clock.mono();
  sides.asked = true;
  sides.source = std::move(source);
  sides.destination = std::move(destination);
  sides.confirmed.reset();
  if (sides.source && sides.source->state == Presence::State::running && sides.destination &&
      active(sides.destination->presence))
    sides.confirmed = co_await confirmedThere();
}

Judgement Migration::judgeSides(const Sides& sides, bool restarted) const {
  BothSides both;
  both.source = sides.source;
  both.destination = presenceOf(sides.destination);
  both.asked_to_move = op_.record.asked_to_move;
  both.known_there = op_.record.known_there;
  both.moved = op_.record.moved;
  both.restarted = restarted;
  both.to_be_ended = op_.record.to_be_ended;
  both.confirmed = sides.confirmed.value_or(false);
  both.unchanged = since(sides.since);
  return judge(both);
}

asio::awaitable<void> Migration::settle() {
  Sides sides;
  for (;;) {
    // A call that was given up may still say how it ended.
    if (call_ && call_->end && !op_.duration && !move_error_) noteEnd(*call_->end);
    co_await ask(sides);
    if (co_await endOnWord(sides)) co_return;
    co_await noteStay(sides);
    auto judgement = judgeSides(sides, op_.record.restarted);
    // While libvirt's call is out, it may still begin to move the VM.
    if (call_ && !call_->end && endsTheMove(judgement.verdict))
      judgement = {Verdict::wait, judgement.words + "; libvirt's call has not ended"};
    co_await tellOfSuspended(sides, judgement.words);
    if (co_await obey(judgement.verdict, judgement.words, sides)) co_return;
    co_await poll();
  }
}

/// What runs on here for so long beside a copy at the destination is the VM, whatever becomes of
/// it; but for a copy that became the VM, and one that has not run and that libvirt ends.
asio::awaitable<void> Migration::noteStay(const Sides& sides) {
  if (op_.record.to_be_ended || op_.record.moved || !sides.source || !sides.destination) co_return;
  if (call_ && !call_->end) co_return;
  const bool stays =
      sides.source->state == Presence::State::running && sides.source->job == Presence::Job::none;
  const bool could_run = active(sides.destination->presence) &&
                         sides.destination->presence.state != Presence::State::incoming;
  if (!stays || !could_run || since(sides.since) < kSourceRuns) co_return;
  if (sides.confirmed != false) co_return;
  op_.record.to_be_ended = true;
  co_await keep();
}

/// The destination's daemon, which does not hear this host, may keep what it suspended for ever.
asio::awaitable<void> Migration::tellOfSuspended(const Sides& sides, std::string words) {
  const auto hear = fmt::format(
      "see that {} reaches {}: its daemon, which suspended the copy there since it does "
      "not hear {}, decides once it does",
      toName(), fromName(), fromName());
  const auto end =
      fmt::format("or end the copy at {}, which must never run: virsh destroy {} there", toName(),
                  op_.vm.text());
  const bool told = std::ranges::find(op_.advice, hear) != op_.advice.end();
  const bool kept = sides.source && sides.destination && sides.destination->presence.suspended &&
                    since(sides.since) >= kGivenUp;
  if (kept == told) co_return;
  std::erase_if(op_.advice, [&](const auto& each) { return each == hear || each == end; });
  if (kept) {
    advise(hear);
    if (sides.source->state == Presence::State::running) advise(end);
    report("operation.unsettled", Severity::warning,
           fmt::format("migration of {} to {}: {}", vmName(), toName(), words));
  }
  co_await keep();
}

/// Enters the state if it is another one, and says how it stands.
asio::awaitable<void> Migration::stand(OperationState state, std::string words) {
  if (op_.state != state) {
    co_await mustEnter(state, words);
    if (state == OperationState::uncertain)
      report("operation.uncertain", Severity::warning,
             fmt::format("migration of {} to {}: {}", vmName(), toName(), words));
  }
  op_.message = std::move(words);
}

/// True if the operation goes on in another state.
asio::awaitable<bool> Migration::obey(Verdict verdict, std::string words, Sides& sides) {
  if (verdict == Verdict::uncertain) {
    co_await stand(OperationState::uncertain, std::move(words));
    co_return co_await followAgain(sides);
  }
  co_await stand(OperationState::settling, words);
  switch (verdict) {
    case Verdict::stayed:
      co_return co_await stayed(std::move(words), sides);
    case Verdict::moved:
      co_return co_await moved(std::move(words), sides);
    case Verdict::resume_source:
      co_return co_await resumeSource(std::move(words), sides);
    case Verdict::restart_source:
      co_return co_await restartSource(std::move(words), sides);
    case Verdict::drop_source:
      co_return co_await dropSource(std::move(words), sides);
    case Verdict::revive_destination:
      co_return co_await reviveThere(std::move(words));
    case Verdict::lost:
      co_return co_await lost(std::move(words), sides);
    case Verdict::wait:
    case Verdict::conflict:
    case Verdict::uncertain:
      break;
  }
  co_return co_await followAgain(sides);
}

asio::awaitable<bool> Migration::stayed(std::string words, const Sides& sides) {
  if (sides.source && sides.source->state == Presence::State::running && !sides.source->defined &&
      !op_.record.definition.empty()) {
    const auto defined = co_await shared_.here.define(op_.record.definition);
    if (!defined && silence(defined.error()) && ++failures_ < kTries) co_return false;
    if (!defined)
      advise(fmt::format("its definition at {} is gone and could not be made again: {}", fromName(),
                         printable(defined.error().message)));
    else
      op_.record.definition.clear();
  }
  // It holds secrets, and what libvirt here has needs no second keeper.
  if (sides.source && sides.source->defined) op_.record.definition.clear();
  co_await restoreAutostart();
  if (const auto there = peer()) std::ignore = co_await there->release(op_.id);
  if (op_.record.restarted)
    words = fmt::format("its emulator died during the move and {} was started again at {}",
                        vmName(), fromName());
  const auto aborted = op_.abort_requested && !op_.record.restarted && sides.source &&
                       sides.source->state == Presence::State::running;
  auto why = aborted                  ? std::string("aborted on a person's word")
             : !abort_reason_.empty() ? abort_reason_
             : move_error_            ? "libvirt: " + printable(move_error_->message)
                                      : std::string();
  if (!why.empty()) words += " (" + why + ")";
  co_await finish(aborted ? OperationState::aborted : OperationState::failed, std::move(words));
  co_return true;
}

/// To be asked once an act that cannot be taken back is written down, which may have taken any
/// time: true if both sides, asked anew, still call for it.
asio::awaitable<bool> Migration::stillSo(Verdict verdict, Sides& sides) {
  co_await ask(sides);
  const bool restarted = verdict != Verdict::restart_source && op_.record.restarted;
  co_return judgeSides(sides, restarted).verdict == verdict;
}

asio::awaitable<bool> Migration::resumeSource(std::string words, Sides& sides) {
  co_await mustEnter(OperationState::settling, words + ": it is resumed here");
  if (!co_await stillSo(Verdict::resume_source, sides)) co_return false;
  const auto done = co_await shared_.here.resume(op_.vm);
  if (done) co_return false;
  words += "; it cannot be resumed: " + printable(done.error().message);
  op_.message = words;
  if (++failures_ < kTries) co_return false;
  advise(fmt::format("set it going at {}: virsh resume {}", fromName(), op_.vm.text()));
  co_return co_await lost(std::move(words), sides);
}

asio::awaitable<bool> Migration::restartSource(std::string words, Sides& sides) {
  op_.record.restarted = true;
  co_await mustEnter(OperationState::settling, words + ": it is started again");
  if (!co_await stillSo(Verdict::restart_source, sides)) {
    op_.record.restarted = false;
    co_return false;
  }
  const auto done = co_await shared_.here.start(op_.vm, "");
  if (!done) move_error_ = done.error();
  co_return false;
}

asio::awaitable<bool> Migration::dropSource(std::string words, Sides& sides) {
  co_await mustEnter(OperationState::settling, words + ": it is ended here");
  if (!co_await stillSo(Verdict::drop_source, sides)) co_return false;
  auto done = co_await shared_.here.destroy(op_.vm);
  if (done) done = co_await shared_.here.undefine(op_.vm);
  if (done) co_return false;
  words += "; it cannot be ended: " + printable(done.error().message);
  op_.message = words;
  if (++failures_ < kTries) co_return false;
  advise(
      fmt::format("end the copy at {}, which is out of date: virsh destroy {}, virsh undefine {}",
                  fromName(), op_.vm.text(), op_.vm.text()));
  co_return co_await lost(std::move(words), sides);
}

/// Asks the destination to start what died there. It may not be sure yet that it may: a refusal is
/// repeated for a while. An error if a person is needed.
asio::awaitable<Result<void>> Migration::askToRevive() {
  if (revive_asked_) co_return fail(Code::refused, "it died again after it was started once more");
  const auto there = peer();
  Result<void> done = fail(Code::unreachable, toName() + " is silent");
  if (there && co_await askThere()) done = co_await there->revive(op_.id);
  revive_asked_ = static_cast<bool>(done);
  if (done || putOff(done.error()) || ++revive_refusals_ < kReviveRefusals) {
    if (!done) op_.message = "it is to be started again there: " + printable(done.error().message);
    co_return Result<void>{};
  }
  co_return fail(done.error().in(toName() + " does not start it again"));
}

void Migration::adviseOnDeath() {
  advise(fmt::format("find out why it died at {}, then start it there: virsh start {}", toName(),
                     op_.vm.text()));
}

asio::awaitable<bool> Migration::reviveThere(std::string words) {
  const auto asked = co_await askToRevive();
  if (asked) co_return false;
  adviseOnDeath();
  adviseOnDisks();
  co_await finish(OperationState::needs_person, words + "; " + printable(asked.error().message));
  co_return true;
}

asio::awaitable<bool> Migration::moved(std::string words, const Sides& sides) {
  if (!std::exchange(op_.record.moved, true)) co_await keep();
  if (sides.source->state == Presence::State::off && sides.source->defined &&
      undefine_failures_ < kTries) {
    // What is left defined could be started by anybody.
    const auto done = co_await shared_.here.undefine(op_.vm);
    if (!done && ++undefine_failures_ == kTries)
      advise(
          fmt::format("remove its definition at {}: virsh undefine {}", fromName(), op_.vm.text()));
    co_return false;
  }
  if (!op_.duration && op_.progress.elapsed.count() > 0) op_.duration = op_.progress.elapsed;
  if (op_.abort_requested) words += "; it had switched over before it could be aborted";
  co_await setDisksAside();
  co_await mustEnter(OperationState::verifying, std::move(words));
  co_return true;
}

/// At once, so that no definition finds them any more; deleted only after commit.
asio::awaitable<void> Migration::setDisksAside() {
  auto& record = op_.record;
  if (!op_.copy_storage) co_return;
  if (record.copied_disks.empty())
    advise(fmt::format("the disks that {} left at {} are out of date: remove them by hand",
                       vmName(), fromName()));
  if (record.copied_disks.empty()) co_return;
  const auto aside = [this](const std::string& path) { return path + ".moved-" + op_.id; };
  if (record.set_aside.empty()) {
    for (const auto& path : record.copied_disks) record.set_aside.push_back(aside(path));
    co_await keep();
  }
  for (const auto& path : record.copied_disks) {
    const auto done = co_await renamed(path, aside(path));
    if (done) continue;
    const auto why = printable(done.error().message);
    // An attempt that was given up may still take effect: then it bears the name that is kept here.
    if (silence(done.error())) {
      advise(
          fmt::format("{} at {} is out of date, and it is not known whether it was renamed to "
                      "{} ({}): unless {} is back there, remove whichever is left",
                      printable(path), fromName(), printable(aside(path)), why, vmName()));
      continue;
    }
    std::erase(op_.record.set_aside, aside(path));
    advise(
        fmt::format("{} at {} is out of date and could not be renamed ({}): remove it by hand "
                    "unless {} is back there",
                    printable(path), fromName(), why, vmName()));
  }
}

/// Again for as long as libvirt is silent, within a bound: what is renamed already is done.
asio::awaitable<Result<void>> Migration::renamed(std::string path, std::string aside) {
  for (int tries = 1;; ++tries) {
    auto done = co_await shared_.here.setAside(path, aside);
    if (done || done.error().code == Code::not_found) co_return Result<void>{};
    if (!silence(done.error()) || tries >= kTries) co_return done;
    op_.message = "its former disk is to be renamed: " + printable(done.error().message);
    co_await pause(kRetry);
  }
}

asio::awaitable<bool> Migration::lost(std::string words, const Sides& sides) {
  const bool nowhere = sides.source->state == Presence::State::absent && sides.destination &&
                       sides.destination->presence.state == Presence::State::absent;
  // What has moved once, and is gone from there by now, went on elsewhere: a definition here would
  // be a second one, over disks that another host may be using.
  if (nowhere && op_.record.moved)
    advise(
        fmt::format("it had moved to {}: find out where it was moved on to from there", toName()));
  if (nowhere && !op_.record.moved && !op_.record.definition.empty()) {
    const auto defined = co_await shared_.here.define(op_.record.definition);
    if (!defined && silence(defined.error()) && ++failures_ < kTries) co_return false;
    if (!defined)
      advise(fmt::format("it could not be defined at {} again: {}", fromName(),
                         printable(defined.error().message)));
    if (defined) op_.record.definition.clear();
    if (defined)
      advise(
          fmt::format("it is defined at {} again, and off: if its disks there are the newest, "
                      "start it: virsh start {}",
                      fromName(), op_.vm.text()));
  }
  const bool there_absent =
      sides.destination && sides.destination->presence.state == Presence::State::absent;
  if (op_.record.restarted && there_absent && sides.source->state == Presence::State::off)
    advise(fmt::format("find out why it died at {}, then start it there: virsh start {}",
                       fromName(), op_.vm.text()));
  if (sides.source->state == Presence::State::running && sides.destination &&
      sides.destination->presence.state == Presence::State::running) {
    advise(fmt::format("end one of the two at once: virsh destroy {}", op_.vm.text()));
    advise("then check its disks: both have written");
  }
  const bool left_there =
      sides.destination && (sides.destination->presence.state == Presence::State::paused ||
                            sides.destination->presence.state == Presence::State::incoming);
  if (op_.record.to_be_ended && sides.destination && active(sides.destination->presence) &&
      sides.source->state != Presence::State::running)
    advise(
        fmt::format("end the copy at {}, which is out of date: virsh destroy {} there; only then "
                    "start or resume what was at {}, unless it runs elsewhere by now",
                    toName(), op_.vm.text(), fromName()));
  if (sides.source->state == Presence::State::running && left_there)
    advise(fmt::format("end the copy at {}, which must never run: virsh destroy {} there", toName(),
                       op_.vm.text()));
  advise(fmt::format("look at both hosts before anything is started: virsh domstate --reason {}",
                     op_.vm.text()));
  if (op_.record.autostart)
    advise("it was set to start with its host; it no longer is: virsh autostart " + op_.vm.text());
  if (move_error_) words += " (libvirt: " + printable(move_error_->message) + ")";
  shared_.context.moved(op_.vm, pastMove(MoveOutcome::failed));
  co_await finish(OperationState::needs_person, std::move(words));
  co_return true;
}

}  // namespace virtseer::act
