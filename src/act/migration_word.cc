#include <fmt/format.h>

#include <algorithm>

#include "act/migration.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

using State = Presence::State;

constexpr int kWordTries = 20;
constexpr Millis kRetry{1'000};
/// Between two questions to a host that was said to be off.
constexpr Millis kHeed{10'000};

}  // namespace

std::string Migration::personsWord() const {
  return fmt::format("a person says that {} is powered off for good", toName());
}

/// Told for as long as it is uncertain.
void Migration::adviseOnSilence(Operation& op) const {
  const std::vector<std::string> advice{
      fmt::format("see that {} and libvirt at both hosts answer again: what they say decides",
                  toName()),
      fmt::format("if {} is powered off for good: virtseer abort {} --fenced", toName(), op.id)};
  std::erase_if(op.advice,
                [&](const auto& each) { return std::ranges::find(advice, each) != advice.end(); });
  if (op.state == OperationState::uncertain)
    op.advice.insert(op.advice.end(), advice.begin(), advice.end());
}

/// If only by refusing: a host that is off does not even do that.
asio::awaitable<bool> Migration::destinationAnswers() {
  const auto there = peer();
  if (!there) co_return false;
  const auto answer = co_await there->vm(op_.vm);
  // Another machine at its address says nothing of it.
  if (answer) co_return answer->host == op_.to;
  co_return answered(answer.error()) || co_await there->libvirtAnswers();
}

asio::awaitable<Result<Operation>> Migration::fence(std::shared_ptr<Migration> self) {
  auto& op = self->op_;
  const auto uncertain = [&]() -> Result<void> {
    if (op.state == OperationState::uncertain) return {};
    return fail(Code::refused, fmt::format("operation {} is {}: only one that is uncertain, since "
                                           "a host is silent, is ended by that word",
                                           op.id, name(op.state)));
  };
  if (const auto may = uncertain(); !may) co_return fail(may.error());
  if (co_await self->destinationAnswers())
    co_return fail(Code::refused,
                   fmt::format("{} answers, so it is not powered off", self->toName()));
  const auto turn = co_await self->turnToWrite();
  if (const auto may = uncertain(); !may) co_return fail(may.error());
  auto next = op;
  self->addStep(next, op.state, self->personsWord());
  const auto written = co_await self->shared_.journal.write(next);
  if (!written) co_return fail(written.error().in("it cannot be written down"));
  // That host may have answered meanwhile: how it ended waits for this turn to be written down.
  if (const auto may = uncertain(); !may) co_return fail(may.error());
  self->addStep(op, op.state, self->personsWord());
  self->fenced_ = true;
  co_return op;
}

/// True if the operation has ended. A destination that answers proves the word wrong.
asio::awaitable<bool> Migration::endOnWord(const Sides& sides) {
  if (!fenced_) co_return false;
  if (sides.destination) {
    fenced_ = false;
    co_return false;
  }
  if (!sides.source) co_return false;
  const auto here = *sides.source;
  if (here.state == State::incoming) co_return false;
  // libvirt here may still try to send it to that host.
  if (here.job == Presence::Job::migration_out || (call_ && !call_->end)) {
    co_await abortJob();
    co_return false;
  }
  co_return co_await endHere(here);
}

asio::awaitable<bool> Migration::endHere(const Presence& here) {
  const auto word = personsWord();
  co_await defineHereAgain(here);
  if (here.state == State::running) {
    co_await restoreAutostart();
    adviseOnDisks();
    op_.record.definition.clear();
    co_await finish(OperationState::failed,
                    fmt::format("{}; {} runs at {}", word, vmName(), fromName()));
    co_return true;
  }
  if (here.state == State::paused) {
    advise(
        fmt::format("it is paused at {}. Make sure that {} is off, or does not run it. Then, if it "
                    "never ran at {}, virsh resume {}; else its memory is out of date: virsh "
                    "destroy {}, then virsh start {}",
                    fromName(), toName(), toName(), op_.vm.text(), op_.vm.text(), op_.vm.text()));
  } else {
    advise(
        fmt::format("start it at {} only once you have made sure that {} is off, or does not run "
                    "it: virsh start {}",
                    fromName(), toName(), op_.vm.text()));
    for (const auto& path : op_.record.set_aside)
      advise(
          fmt::format("before that give its disk its name again, which is as it was when {} moved: "
                      "{} at {}",
                      vmName(), printable(path), fromName()));
  }
  // The word may be wrong: what starts by itself would be a second copy.
  if (op_.record.autostart)
    advise(
        fmt::format("it was set to start with {} and no longer is; once it runs there again: virsh "
                    "autostart {}",
                    fromName(), op_.vm.text()));
  shared_.context.moved(op_.vm, pastMove(MoveOutcome::failed));
  co_await finish(OperationState::needs_person,
                  fmt::format("{}; {} is {} at {}", word, vmName(),
                              here.state == State::paused ? "paused" : "off", fromName()));
  heedWord();
  co_return true;
}

/// The definition that was removed at switch-over, with what was cleared before.
asio::awaitable<void> Migration::defineHereAgain(const Presence& here) {
  auto& record = op_.record;
  if (record.definition.empty()) {
    if (here.state == State::absent)
      advise(fmt::format("no definition of it was kept: define it at {} anew", fromName()));
    co_return;
  }
  Result<void> done;
  for (int tries = 0; tries < kWordTries; ++tries) {
    if (!here.defined) done = co_await shared_.here.define(record.definition);
    if (done || !silence(done.error())) break;
    co_await pause(kRetry);
  }
  if (done)
    record.definition.clear();
  else
    advise(fmt::format("it could not be defined at {} again: {}", fromName(),
                       printable(done.error().message)));
}

/// It was ended on a person's word, and that host has not answered since.
bool Migration::wordStands() const {
  return op_.state == OperationState::needs_person && !op_.steps.empty() &&
         op_.steps.back().note.starts_with(personsWord());
}

void Migration::heedWord() {
  if (!wordStands()) return;
  shared_.tasks.spawn("word on " + op_.id, heeding(&shared_, weak_from_this()));
}

/// Until that host has answered, and what it has is settled, or the operation is forgotten.
asio::awaitable<void> Migration::heeding(Departures* shared, std::weak_ptr<Migration> of) {
  std::optional<std::chrono::steady_clock::time_point> both_run;
  for (;;) {
    co_await shared->context.pause(kHeed);
    auto self = of.lock();
    if (!self) co_return;
    const auto there = co_await self->askThere();
    if (!there) {
      both_run.reset();
      continue;
    }
    const auto here = co_await self->shared_.here.presence(self->op_.vm);
    const bool runs_here = here && here->state == State::running;
    const auto confirmed = runs_here ? co_await self->confirmedThere() : std::optional<bool>(false);
    // What was forgotten meanwhile is not written down again.
    self.reset();
    self = of.lock();
    if (!self) co_return;
    if (!runs_here || there->presence.state != State::running)
      both_run.reset();
    else if (!both_run)
      both_run = shared->clock.mono();
    if (!here) continue;
    auto both_for = both_run ? self->since(*both_run) : Millis(0);
    // A copy that was confirmed is ended by nobody.
    if (confirmed == true) both_for = kGivenUp;
    if (!confirmed && both_for < kGivenUp) continue;
    if (co_await self->answersAgain(there->presence, runs_here, both_for)) co_return;
  }
}

/// Whether the daemon there takes its copy for the VM, for good; absent: it does not say.
asio::awaitable<std::optional<bool>> Migration::confirmedThere() {
  const auto there = peer();
  if (!there) co_return std::nullopt;
  const auto half = co_await there->operation(op_.id);
  if (!half && half.error().code != Code::not_found) co_return std::nullopt;
  co_return half && half->kind == OperationKind::arrival && half->vm == op_.vm && half->confirmed;
}

/// What the host has that was said to be off. True once there is no more to be said.
asio::awaitable<bool> Migration::answersAgain(const Presence& there, bool runs_here,
                                              Millis both_run) {
  if (there.state == State::off || there.state == State::absent) {
    co_await answersWithout(there, runs_here);
    co_return true;
  }
  const auto vm = op_.vm.text();
  auto words = fmt::format("{} answers again and has {}: it is {} there{}", toName(), vmName(),
                           name(there.state), runs_here ? ", and runs here too" : "");
  if (runs_here && both_run < kGivenUp) {
    co_await mayEndItself(std::move(words));
    co_return false;
  }
  op_.advice.clear();
  if (runs_here) {
    advise(fmt::format("end one of the two at once{}: virsh destroy {}",
                       there.state == State::running ? "" : ", the one that is out of date", vm));
    advise(there.state == State::running ? "then check its disks: both have written"
                                         : "then check its disks: both may have written");
  } else {
    advise(fmt::format("do not start it at {}: it is at {}", fromName(), toName()));
    advise(fmt::format("remove its definition at {}: virsh undefine {}", fromName(), vm));
  }
  adviseOnDisks();
  op_.message = fmt::format("{}, but {}", personsWord(), words);
  addStep(op_, op_.state, words);
  co_await keep();
  report("operation.contradicted", Severity::error, std::move(words));
  co_return true;
}

/// It was off, or its daemon has ended the copy there since.
asio::awaitable<void> Migration::answersWithout(const Presence& there, bool runs_here) {
  const auto vm = op_.vm.text();
  const auto words = fmt::format("{} answers again, and does not run it", toName());
  if (runs_here) {
    op_.advice.clear();
    if (op_.record.autostart)
      advise(fmt::format("if it is to start with {} again: virsh autostart {}", fromName(), vm));
    adviseOnDisks();
    op_.message = fmt::format("{}; {} runs at {}; {}", personsWord(), vmName(), fromName(), words);
  }
  if (there.defined)
    advise(fmt::format("{}remove its definition at {}: virsh undefine {} there",
                       runs_here ? "" : "start it at one host only: if that is not to be there, ",
                       toName(), vm));
  addStep(op_, op_.state, words);
  co_await keep();
}

/// It runs here. The daemon there ends a copy that was never confirmed by itself: nobody is to end
/// the one here for it. Said once of each state there, also over restarts.
asio::awaitable<void> Migration::mayEndItself(std::string words) {
  const auto note = fmt::format("{}, but {}", personsWord(), words);
  if (!op_.steps.empty() && op_.steps.back().note == note) co_return;
  op_.advice.clear();
  advise(
      fmt::format("leave the one at {} alone: {} ends its copy by itself, unless it was "
                  "confirmed there",
                  fromName(), toName()));
  advise(
      fmt::format("if the copy at {} is still there after a minute, end that one: virsh destroy "
                  "{} there",
                  toName(), op_.vm.text()));
  adviseOnDisks();
  op_.message = note;
  addStep(op_, op_.state, note);
  co_await keep();
  report("operation.contradicted", Severity::error, std::move(words));
}

}  // namespace virtseer::act
