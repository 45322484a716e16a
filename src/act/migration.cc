#include "act/migration.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

constexpr Millis kRetry{1'000};
constexpr int kUndoTries = 60;
/// The destination's clock may differ from ours, so its `expires` bounds the pace only roughly.
constexpr Millis kSlowestRenewal{20'000}, kFastestRenewal{1'000};

}  // namespace

asio::awaitable<Result<DepartureFacts>> gatherFacts(Departures& shared, Uuid vm,
                                                    OperationOrigin origin,
                                                    std::shared_ptr<Peer> peer,
                                                    std::optional<bool> copy_storage) {
  DepartureFacts facts;
  facts.origin = origin;
  facts.copy_storage = copy_storage;
  facts.self = shared.context.self().uuid;
  facts.to_name = peer->name();
  facts.to = peer->host();
  const auto presence = co_await shared.here.presence(vm);
  if (!presence) co_return fail(presence.error());
  facts.presence = *presence;
  facts.policy = shared.context.policy(vm);
  if (presence->state == Presence::State::absent) co_return facts;
  auto definition = co_await shared.here.definition(vm);
  if (!definition) co_return fail(definition.error());
  facts.definition = std::move(*definition);
  const auto placed = co_await shared.here.placed();
  if (!placed) co_return fail(placed.error());
  const auto found = std::ranges::find(*placed, vm, &PlacedVm::uuid);
  if (found != placed->end()) facts.placed = *found;
  facts.policy =
      lowered(shared.context.policy(vm), facts.placed ? facts.placed->metadata : std::nullopt);
  const auto host = co_await shared.here.host();
  if (!host) co_return fail(host.error());
  facts.storage = host->storage;
  facts.disk_locks = host->disk_locks;
  co_return facts;
}

ReserveOrder reserveOrder(const Operation& operation, const Host& self, std::string live_xml,
                          std::vector<DiskCopy> copied, std::vector<std::string> storage) {
  ReserveOrder order;
  order.operation = operation.id;
  order.origin = operation.origin;
  order.return_of = operation.return_of;
  order.vm = operation.vm;
  order.vm_name = operation.vm_name;
  order.from = self.uuid;
  order.from_name = self.name;
  order.cpus = operation.cpus;
  order.may_share = operation.record.may_share;
  order.memory_bytes = operation.memory_bytes;
  order.copy_storage = operation.copy_storage;
  order.live_xml = std::move(live_xml);
  order.copied = std::move(copied);
  order.storage = std::move(storage);
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

asio::awaitable<void> Migration::begin() {
  if (taken_up_) {
    if (op_.abort_requested)
      co_await callOff({OperationState::aborted, "aborted before anything moved"});
    else
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
  copied_ = std::move(departure.disks);
  storage_ = std::move(departure.storage);
  unlocked_ = facts->policy.unlocked_disks;
  live_xml_ = facts->definition.live;
  metadata_ = facts->placed->metadata;
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
  auto order =
      reserveOrder(op_, shared_.context.self(), std::exchange(live_xml_, {}), copied_, storage_);
  order.unlocked = unlocked_;
  const auto answer = co_await there->reserve(std::move(order));
  if (!answer) co_return CallOff{OperationState::refused, answer.error().message};
  if (!allHeld(answer->checks))
    co_return CallOff{OperationState::refused, toName() + ": " + faults(answer->checks)};
  if (!answer->reservation)
    co_return CallOff{OperationState::refused, toName() + " holds no room for it"};
  if (const auto cores = std::ranges::find(answer->checks, "cores", &Check::name);
      cores != answer->checks.end())
    room_note_ = fmt::format("at {}: {}", toName(), printable(cores->words));
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
    else if (renewed.error().code == Code::not_found || renewed.error().code == Code::refused)
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
  record.autostart = definition->autostart;
  record.managed_save = definition->managed_save;
  auto off = co_await clear();
  if (!off) off = co_await lastLook();
  if (off) co_return off;
  op_.record.asked_to_move = true;
  const auto entered = co_await enter(OperationState::migrating, "");
  if (entered) co_return std::nullopt;
  op_.record.asked_to_move = false;
  co_return CallOff{OperationState::failed, entered.error().message};
}

/// What could wake the copy here while the VM is elsewhere.
asio::awaitable<Migration::MaybeOff> Migration::clear() {
  auto& record = op_.record;
  record.cleared = record.autostart || record.managed_save;
  if (const auto entered = co_await enter(OperationState::preparing, room_note_); !entered) {
    op_.record.cleared = false;
    co_return CallOff{OperationState::failed, entered.error().message};
  }
  Result<void> done;
  if (op_.record.autostart) done = co_await shared_.here.setAutostart(op_.vm, false);
  if (done && op_.record.managed_save) done = co_await shared_.here.removeManagedSave(op_.vm);
  if (!done) co_return CallOff{OperationState::failed, done.error().in("libvirt here").message};
  co_return std::nullopt;
}

/// What may have changed since pre-flight, asked once more: nothing has moved yet.
asio::awaitable<Migration::MaybeOff> Migration::lastLook() {
  using State = Presence::State;
  const auto here = co_await shared_.here.presence(op_.vm);
  if (!here) co_return CallOff{OperationState::failed, here.error().in("libvirt here").message};
  if (here->state != State::running || here->job != Presence::Job::none)
    co_return CallOff{OperationState::refused,
                      fmt::format("it is {} by now, job {}", name(here->state), name(here->job))};
  const auto placed = co_await shared_.here.placed();
  if (!placed) co_return CallOff{OperationState::failed, placed.error().in("libvirt here").message};
  const auto listed = std::ranges::find(*placed, op_.vm, &PlacedVm::uuid);
  if (listed != placed->end()) metadata_ = listed->metadata;
  const auto before = co_await askThere();
  if (!before) co_return CallOff{OperationState::refused, before.error().message};
  const auto state = before->presence.state;
  if (state != State::absent && state != State::off)
    co_return CallOff{OperationState::refused,
                      fmt::format("it is {} at {} already", name(state), toName())};
  op_.record.known_there = state == State::off;
  if (reservation_lost_)
    co_return CallOff{OperationState::refused, toName() + " holds no room for it any more"};
  const auto policy = lowered(shared_.context.policy(op_.vm), metadata_);
  op_.record.may_return = policy.return_trip;
  if (const auto may = granted(op_.origin, policy, shared_.stopped()); !may)
    co_return CallOff{OperationState::refused, may.error().message};
  if (op_.abort_requested)
    co_return CallOff{OperationState::aborted, "aborted before anything moved"};
  co_return std::nullopt;
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

/// Pre-flight found it running: that it is off since is nobody's wish unless libvirt says whose.
/// Nothing was asked to move, so no copy is elsewhere: an emulator that died is started again once,
/// and so is what would have come up with its host had its autostart not been cleared for the move.
asio::awaitable<bool> Migration::startedAgain(const Presence& here) {
  if (here.state != Presence::State::off || op_.record.restarted) co_return false;
  if (!here.crashed && !(op_.record.cleared && op_.record.autostart)) co_return false;
  op_.record.restarted = true;
  co_await mustEnter(op_.state, "it died before anything moved: it is started again");
  const auto again = co_await shared_.here.presence(op_.vm);
  if (again && again->state == Presence::State::running) co_return true;
  if (!again || *again != here) co_return false;
  const auto started = co_await shared_.here.start(op_.vm, "");
  if (!started)
    advise(fmt::format("it could not be started again: {}", printable(started.error().message)));
  co_return started.has_value();
}

asio::awaitable<void> Migration::callOff(CallOff why) {
  co_await restoreAutostart();
  if (const auto there = peer(); there && op_.state >= OperationState::reserving)
    std::ignore = co_await there->release(op_.id);
  const auto here = co_await shared_.here.presence(op_.vm);
  const bool off =
      here && (here->state == Presence::State::off || here->state == Presence::State::absent);
  const bool died = off && op_.state >= OperationState::reserving &&
                    (here->state == Presence::State::absent || here->crashed || here->unexplained);
  // Nothing was taken away from it here.
  op_.record.definition.clear();
  if (died && co_await startedAgain(*here)) {
    co_await finish(OperationState::failed,
                    fmt::format("it died before anything moved and {} was started again at {}",
                                vmName(), fromName()));
    co_return;
  }
  if (died)
    advise(fmt::format("it died before anything moved: start it: virsh start {}", op_.vm.text()));
  co_await finish(died ? OperationState::needs_person : why.state,
                  off ? fmt::format("{}; {} is off at {}", why.message, vmName(), fromName())
                      : fmt::format("{}; {} stays at {}", why.message, vmName(), fromName()));
}

}  // namespace virtseer::act
