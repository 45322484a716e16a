#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "act/migration.h"
#include "base/log.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxSteps = 100;
constexpr std::size_t kFirstSteps = 20;
constexpr std::size_t kMaxAdvice = 10;
constexpr Millis kRetry{1'000};
/// How often it is looked whether another write of the operation has ended.
constexpr Millis kTurn{10};

}  // namespace

Operation Migration::told() {
  struct Lent {
    explicit Lent(std::string& from) : owner(from), definition(std::move(from)) { owner.clear(); }
    ~Lent() { owner = std::move(definition); }
    std::string& owner;
    std::string definition;
  } const lent(op_.record.definition);
  return op_;
}

std::string Migration::vmName() const {
  return printable(op_.vm_name);
}
std::string Migration::fromName() const {
  return printable(op_.from_name);
}
std::string Migration::toName() const {
  return printable(op_.to_name);
}

Millis Migration::since(std::chrono::steady_clock::time_point start) const {
  return std::chrono::duration_cast<Millis>(shared_.clock.mono() - start);
}

std::shared_ptr<Peer> Migration::peer() const {
  const auto found = shared_.peers.find(op_.to_name);
  if (!found) return nullptr;
  // Another machine at that address knows nothing of this VM, and its word proves nothing.
  const auto host = (*found)->host();
  return !op_.to.isNil() && host && *host != op_.to ? nullptr : *found;
}

/// What the destination knows of the VM. Until a peer has been heard, any machine may stand at its
/// address: the answer of another one is none.
asio::awaitable<Result<RemoteVm>> Migration::askThere() {
  const auto there = peer();
  if (!there) co_return fail(Code::unreachable, toName() + " is not the host that it was");
  auto answer = co_await there->vm(op_.vm);
  if (answer && answer->host != op_.to)
    co_return fail(Code::unreachable, "another host answers at the address of " + toName());
  if (answer) last_there_ = answer->presence;
  co_return answer;
}

void Migration::advise(std::string advice) {
  if (op_.advice.size() < kMaxAdvice && std::ranges::find(op_.advice, advice) == op_.advice.end())
    op_.advice.push_back(std::move(advice));
}

void Migration::report(std::string kind, Severity severity, std::string message) const {
  Event event;
  event.time = shared_.clock.wall();
  event.severity = severity;
  event.kind = std::move(kind);
  event.entity = op_.vm;
  event.message = std::move(message);
  event.fields = {{"operation", op_.id}, {"from", op_.from_name}, {"to", op_.to_name}};
  shared_.context.report(std::move(event));
}

PastMove Migration::pastMove(MoveOutcome outcome) const {
  return {op_.from,    op_.to,
          op_.created, shared_.clock.wall(),
          outcome,     op_.origin == OperationOrigin::plan && !op_.record.may_share};
}

std::optional<Error> Migration::tooLate() const {
  if (ended(op_.state))
    return Error{Code::refused, fmt::format("operation {} has ended: {}", op_.id, op_.message)};
  const bool finding_out =
      op_.state == OperationState::settling || op_.state == OperationState::uncertain;
  if (op_.state <= OperationState::migrating || (finding_out && still_moving_)) return std::nullopt;
  return Error{Code::refused, fmt::format("operation {} is {}: it is too late to abort it", op_.id,
                                          name(op_.state))};
}

asio::awaitable<Result<Operation>> Migration::abort(std::shared_ptr<Migration> self) {
  auto& op = self->op_;
  if (auto late = self->tooLate()) co_return fail(std::move(*late));
  op.abort_requested = true;
  const auto turn = co_await self->turnToWrite();
  if (ended(op.state) && op.state != OperationState::aborted)
    co_return fail(Code::refused, fmt::format("operation {} has ended: {}", op.id, op.message));
  if (ended(op.state)) co_return op;
  const auto written = co_await self->shared_.journal.write(op);
  if (!written)
    co_return fail(written.error().in(
        "it is to end, but that cannot be written down and a restart would forget it"));
  co_return op;
}

void Migration::addStep(Operation& op, OperationState state, std::string note) const {
  if (!op.steps.empty() && op.steps.back().state == state && op.steps.back().note == note) return;
  if (op.steps.size() >= kMaxSteps)
    op.steps.erase(op.steps.begin() + static_cast<std::ptrdiff_t>(kFirstSteps));
  op.steps.push_back({state, shared_.clock.wall(), std::move(note)});
}

asio::awaitable<Migration::Turn> Migration::turnToWrite() {
  while (writing_) co_await pause(kTurn);
  co_return Turn(writing_);
}

asio::awaitable<Result<void>> Migration::enter(OperationState state, std::string note) {
  const auto turn = co_await turnToWrite();
  auto next = op_;
  next.state = state;
  next.updated = shared_.clock.wall();
  if (!note.empty()) next.message = note;
  adviseOnSilence(next);
  addStep(next, state, std::move(note));
  auto written = co_await shared_.journal.write(next);
  if (!written) co_return fail(written.error().in("it cannot be written down"));
  // A person may have asked for its end meanwhile.
  next.abort_requested = op_.abort_requested;
  next.progress = op_.progress;
  op_ = std::move(next);
  // A person's word holds for the silence that it was said of.
  if (state != OperationState::uncertain) fenced_ = false;
  co_return Result<void>{};
}

asio::awaitable<void> Migration::mustEnter(OperationState state, std::string note) {
  for (;;) {
    const auto entered = co_await enter(state, note);
    if (entered) co_return;
    op_.message = entered.error().message + ": nothing more is done until it can";
    co_await pause(kRetry);
  }
}

asio::awaitable<bool> Migration::writeAsItIs() {
  const auto turn = co_await turnToWrite();
  op_.updated = shared_.clock.wall();
  co_return static_cast<bool>(co_await shared_.journal.write(op_));
}

/// Writes what changed within a state.
asio::awaitable<void> Migration::keep() {
  for (;;) {
    if (co_await writeAsItIs()) co_return;
    co_await pause(kRetry);
  }
}

asio::awaitable<void> Migration::finish(OperationState state, std::string message) {
  op_.state = state;
  op_.message = message;
  op_.ended = shared_.clock.wall();
  // It holds secrets; where the VM is beyond doubt nothing needs it any more.
  if (state == OperationState::done || state == OperationState::returned ||
      state == OperationState::refused)
    op_.record.definition.clear();
  adviseOnSilence(op_);
  addStep(op_, state, message);
  const auto text = fmt::format("migration of {} to {}: {}", vmName(), toName(), message);
  if (state == OperationState::done || state == OperationState::aborted)
    report("operation.finished", Severity::info, text);
  else if (state == OperationState::refused)
    report("operation.refused", Severity::warning, text);
  else
    report("operation.failed",
           state == OperationState::needs_person ? Severity::error : Severity::warning, text);
  const bool planned = op_.origin == OperationOrigin::plan;
  if (state == OperationState::failed && op_.record.asked_to_move)
    shared_.context.moved(op_.vm, pastMove(MoveOutcome::failed));
  if (planned && (state == OperationState::refused ||
                  (state == OperationState::failed && !op_.record.asked_to_move)))
    shared_.context.moved(op_.vm, pastMove(MoveOutcome::refused));
  if (planned && state == OperationState::aborted)
    shared_.context.moved(op_.vm, pastMove(MoveOutcome::aborted));
  if (state == OperationState::returned)
    shared_.context.moved(op_.vm, pastMove(MoveOutcome::returned));
  co_await keep();
}

asio::awaitable<void> Migration::run(std::shared_ptr<Migration> self) {
  std::string fault;
  try {
    co_await self->carryOut();
    co_return;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    fault = error.what();
  } catch (const std::exception& error) {
    fault = error.what();
  }
  log(Level::error, fmt::format("operation {} ended by an exception: {}", self->op_.id, fault));
  if (ended(self->op_.state)) {
    co_await self->keep();
    co_return;
  }
  self->advise(
      fmt::format("look at both hosts before anything is started: virsh domstate --reason "
                  "{}",
                  self->op_.vm.text()));
  co_await self->finish(OperationState::needs_person,
                        fmt::format("a fault of virtseer itself ended it while it was {}: {}",
                                    name(self->op_.state), printable(fault)));
}

asio::awaitable<void> Migration::carryOut() {
  auto& op = op_;
  if (taken_up_ && op.record.asked_to_move)
    shared_.tasks.spawn("renewal of " + op.id, renewing(shared_from_this()));
  while (!ended(op.state)) {
    const bool on_its_way_back = std::ranges::find(op.steps, OperationState::returning,
                                                   &OperationStep::state) != op.steps.end();
    if (on_its_way_back)
      co_await bringBack();
    else if (op.state < OperationState::migrating)
      co_await begin();
    else if (op.state == OperationState::migrating)
      co_await move();
    else if (op.state == OperationState::verifying)
      co_await watch();
    else if (op.state == OperationState::committing)
      co_await commit();
    else
      co_await settle();
  }
}

}  // namespace virtseer::act
