#include "act/migration.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxSteps = 100;
constexpr std::size_t kFirstSteps = 20;
constexpr std::size_t kMaxAdvice = 10;
constexpr Millis kRetry{1'000};
constexpr int kUndoTries = 300;
/// The destination's clock may differ from ours, so its `expires` bounds the pace only roughly.
constexpr Millis kSlowestRenewal{20'000}, kFastestRenewal{1'000};

bool silence(const Error& error) {
  return error.code == Code::unreachable || error.code == Code::timeout;
}

}  // namespace

asio::awaitable<Result<DepartureFacts>> gatherFacts(Departures& shared, Uuid vm,
                                                    OperationOrigin origin,
                                                    std::shared_ptr<Peer> peer,
                                                    std::optional<bool> copy_storage) {
  DepartureFacts facts;
  facts.origin = origin;
  facts.copy_storage = copy_storage;
  facts.policy = shared.context.policy(vm);
  facts.self = shared.context.self().uuid;
  facts.to_name = peer->name();
  facts.to = peer->host();
  const auto presence = co_await shared.here.presence(vm);
  if (!presence) co_return fail(presence.error());
  facts.presence = *presence;
  if (presence->state == Presence::State::absent) co_return facts;
  auto definition = co_await shared.here.definition(vm);
  if (!definition) co_return fail(definition.error());
  facts.definition = std::move(*definition);
  const auto placed = co_await shared.here.placed();
  if (!placed) co_return fail(placed.error());
  const auto found = std::ranges::find(*placed, vm, &PlacedVm::uuid);
  if (found != placed->end()) facts.placed = *found;
  const auto host = co_await shared.here.host();
  if (!host) co_return fail(host.error());
  facts.storage = host->storage;
  co_return facts;
}

ReserveOrder reserveOrder(const Operation& operation, const Host& self, std::string live_xml) {
  ReserveOrder order;
  order.operation = operation.id;
  order.return_of = operation.return_of;
  order.vm = operation.vm;
  order.vm_name = operation.vm_name;
  order.from = self.uuid;
  order.from_name = self.name;
  order.cpus = operation.cpus;
  order.memory_bytes = operation.memory_bytes;
  order.copy_storage = operation.copy_storage;
  order.live_xml = std::move(live_xml);
  return order;
}

Migration::Migration(Departures& shared, Operation operation, std::optional<bool> copy_storage,
                     bool taken_up)
    : shared_(shared),
      op_(std::move(operation)),
      wished_copy_(copy_storage),
      taken_up_(taken_up),
      called_(taken_up),
      alive_at_(shared.clock.mono()),
      nearer_at_(shared.clock.mono()) {}

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
          outcome,     op_.origin == OperationOrigin::plan};
}

Result<Operation> Migration::abort() {
  if (ended(op_.state))
    return fail(Code::refused, fmt::format("operation {} has ended: {}", op_.id, op_.message));
  if (op_.state > OperationState::migrating)
    return fail(Code::refused, fmt::format("operation {} is {}: it is too late to abort it", op_.id,
                                           name(op_.state)));
  op_.abort_requested = true;
  return op_;
}

// States.

void Migration::addStep(Operation& op, OperationState state, std::string note) const {
  if (!op.steps.empty() && op.steps.back().state == state && op.steps.back().note == note) return;
  if (op.steps.size() >= kMaxSteps)
    op.steps.erase(op.steps.begin() + static_cast<std::ptrdiff_t>(kFirstSteps));
  op.steps.push_back({state, shared_.clock.wall(), std::move(note)});
}

asio::awaitable<Result<void>> Migration::enter(OperationState state, std::string note) {
  auto next = op_;
  next.state = state;
  next.updated = shared_.clock.wall();
  if (!note.empty()) next.message = note;
  addStep(next, state, std::move(note));
  auto written = co_await shared_.journal.write(next);
  if (!written) co_return fail(written.error().in("it cannot be written down"));
  // A person may have asked for its end meanwhile.
  next.abort_requested = op_.abort_requested;
  next.progress = op_.progress;
  op_ = std::move(next);
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

/// Writes what changed within a state.
asio::awaitable<void> Migration::keep() {
  for (;;) {
    op_.updated = shared_.clock.wall();
    if (co_await shared_.journal.write(op_)) co_return;
    co_await pause(kRetry);
  }
}

asio::awaitable<void> Migration::finish(OperationState state, std::string message) {
  op_.state = state;
  op_.message = message;
  op_.ended = shared_.clock.wall();
  op_.record.running_definition.clear();  // it holds secrets, and nothing needs it any more
  addStep(op_, state, message);
  const auto text = fmt::format("migration of {} to {}: {}", vmName(), toName(), message);
  if (state == OperationState::done || state == OperationState::aborted)
    report("operation.finished", Severity::info, text);
  else
    report("operation.failed",
           state == OperationState::needs_person ? Severity::error : Severity::warning, text);
  const bool planned = op_.origin == OperationOrigin::plan;
  if (state == OperationState::failed && op_.record.asked_to_move)
    shared_.context.moved(op_.vm, pastMove(MoveOutcome::failed));
  if (planned && (state == OperationState::refused ||
                  (state == OperationState::failed && !op_.record.asked_to_move)))
    shared_.context.moved(op_.vm, pastMove(MoveOutcome::refused));
  if (state == OperationState::returned)
    shared_.context.moved(op_.vm, pastMove(MoveOutcome::returned));
  co_await keep();
}

asio::awaitable<void> Migration::run(std::shared_ptr<Migration> self) {
  auto& op = self->op_;
  if (self->taken_up_ && op.record.asked_to_move)
    self->shared_.tasks.spawn("renewal of " + op.id, renewing(self));
  while (!ended(op.state)) {
    const bool on_its_way_back = std::ranges::find(op.steps, OperationState::returning,
                                                   &OperationStep::state) != op.steps.end();
    if (on_its_way_back)
      co_await self->bringBack();
    else if (op.state < OperationState::migrating)
      co_await self->begin();
    else if (op.state == OperationState::migrating)
      co_await self->move();
    else if (op.state == OperationState::verifying)
      co_await self->watch();
    else if (op.state == OperationState::committing)
      co_await self->commit();
    else
      co_await self->settle();
  }
}

// Before the move.

asio::awaitable<void> Migration::begin() {
  if (taken_up_) {
    co_await callOff({OperationState::failed, "the daemon was restarted before anything moved"});
    co_return;
  }
  auto off = co_await check();
  if (!off) off = co_await reserve();
  if (!off) off = co_await prepare();
  if (off) co_await callOff(std::move(*off));
}

asio::awaitable<Migration::MaybeOff> Migration::check() {
  if (const auto entered = co_await enter(OperationState::checking, ""); !entered)
    co_return CallOff{OperationState::failed, entered.error().message};
  op_.before = shared_.context.wellbeing(op_.vm);
  const auto there = peer();
  if (!there) co_return CallOff{OperationState::refused, toName() + " is not the host that it was"};
  const auto facts = co_await gatherFacts(shared_, op_.vm, op_.origin, there, wished_copy_);
  if (!facts) co_return CallOff{OperationState::failed, facts.error().in("libvirt here").message};
  auto departure = preflight(*facts);
  if (!allHeld(departure.checks))
    co_return CallOff{OperationState::refused, faults(departure.checks)};
  op_.to = *facts->to;
  op_.copy_storage = departure.copy_storage;
  op_.record.copied_disks = std::move(departure.copied_disks);
  op_.record.running_definition = facts->definition.live;
  op_.memory_bytes = facts->placed->memory_bytes;
  if (op_.cpus <= 0)
    op_.cpus = op_.before->cpu_cores.value_or(0) + op_.before->cpu_delay_cores.value_or(0);
  co_return std::nullopt;
}

asio::awaitable<Migration::MaybeOff> Migration::reserve() {
  if (op_.abort_requested)
    co_return CallOff{OperationState::aborted, "aborted before anything moved"};
  if (const auto entered = co_await enter(OperationState::reserving, ""); !entered)
    co_return CallOff{OperationState::failed, entered.error().message};
  const auto there = peer();
  if (!there) co_return CallOff{OperationState::refused, toName() + " is not the host that it was"};
  const auto answer = co_await there->reserve(
      reserveOrder(op_, shared_.context.self(), op_.record.running_definition));
  if (!answer) co_return CallOff{OperationState::refused, answer.error().in(toName()).message};
  if (!allHeld(answer->checks))
    co_return CallOff{OperationState::refused, toName() + ": " + faults(answer->checks)};
  if (!answer->reservation)
    co_return CallOff{OperationState::refused, toName() + " holds no room for it"};
  const auto left =
      std::chrono::duration_cast<Millis>(answer->reservation->expires - shared_.clock.wall());
  reservation_due_ = shared_.clock.mono() + std::clamp(left / 3, kFastestRenewal, kSlowestRenewal);
  shared_.tasks.spawn("renewal of " + op_.id, renewing(shared_from_this()));
  co_return std::nullopt;
}

asio::awaitable<void> Migration::renewing(std::shared_ptr<Migration> self) {
  auto& due = self->reservation_due_;
  if (!due) due = self->shared_.clock.mono();
  while (!ended(self->op_.state) && !self->reservation_lost_) {
    co_await self->poll();
    if (self->shared_.clock.mono() < *due) continue;
    const auto there = self->peer();
    const auto renewed = there ? co_await there->renew(self->op_.id)
                               : Result<Reservation>(fail(Code::unreachable, "unknown peer"));
    const auto now = self->shared_.clock.wall();
    auto pause = kFastestRenewal;
    if (renewed)
      pause = std::clamp(std::chrono::duration_cast<Millis>(renewed->expires - now) / 3,
                         kFastestRenewal, kSlowestRenewal);
    else if (!silence(renewed.error()))
      self->reservation_lost_ = true;
    due = self->shared_.clock.mono() + pause;
  }
}

asio::awaitable<Migration::MaybeOff> Migration::prepare() {
  if (op_.abort_requested)
    co_return CallOff{OperationState::aborted, "aborted before anything moved"};
  auto definition = co_await shared_.here.definition(op_.vm);
  if (!definition)
    co_return CallOff{OperationState::failed, definition.error().in("libvirt here").message};
  auto& record = op_.record;
  record.definition = std::move(definition->inactive);
  record.running_definition = std::move(definition->live);
  record.autostart = definition->autostart;
  record.managed_save = definition->managed_save;
  record.cleared = record.autostart || record.managed_save;
  if (const auto entered = co_await enter(OperationState::preparing, ""); !entered) {
    record.cleared = false;
    co_return CallOff{OperationState::failed, entered.error().message};
  }
  Result<void> done;
  if (op_.record.autostart) done = co_await shared_.here.setAutostart(op_.vm, false);
  if (done && op_.record.managed_save) done = co_await shared_.here.removeManagedSave(op_.vm);
  if (!done) co_return CallOff{OperationState::failed, done.error().in("libvirt here").message};
  if (reservation_lost_)
    co_return CallOff{OperationState::refused, toName() + " holds no room for it any more"};
  if (op_.abort_requested)
    co_return CallOff{OperationState::aborted, "aborted before anything moved"};
  op_.record.asked_to_move = true;
  const auto entered = co_await enter(OperationState::migrating, "");
  if (entered) co_return std::nullopt;
  op_.record.asked_to_move = false;
  co_return CallOff{OperationState::failed, entered.error().message};
}

asio::awaitable<void> Migration::restoreAutostart() {
  if (!op_.record.cleared) co_return;
  if (op_.record.managed_save)
    advise(fmt::format("the saved state of {} was removed for the move and cannot come back",
                       vmName()));
  if (!op_.record.autostart) co_return;
  for (int tries = 0; tries < kUndoTries; ++tries) {
    const auto done = co_await shared_.here.setAutostart(op_.vm, true);
    if (done) co_return;
    if (!silence(done.error())) break;
    co_await pause(kRetry);
  }
  advise(fmt::format("set it to start with its host again: virsh autostart {}", op_.vm.text()));
}

asio::awaitable<void> Migration::callOff(CallOff why) {
  co_await restoreAutostart();
  if (const auto there = peer(); there && op_.state >= OperationState::reserving)
    std::ignore = co_await there->release(op_.id);
  co_await finish(why.state, fmt::format("{}; {} stays at {}", why.message, vmName(), fromName()));
}

}  // namespace virtseer::act
