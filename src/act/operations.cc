#include "act/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "act/migration.h"
#include "base/log.h"
#include "base/text.h"

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kArriving =
    "it has just come from another host, and that move is still being verified";
constexpr std::string_view kChanging = "it is being enrolled: try again once that has ended";

std::string freshId() {
  std::random_device random;
  return fmt::format("m-{:08x}{:04x}", random(), random() & 0xffff);
}

/// Those that use the link and both hosts' CPUs; a VM that is only watched does not.
bool moving(const Operation& operation) {
  return operation.state <= OperationState::settling;
}

}  // namespace

bool MigrationPreview::fits() const {
  return allHeld(checks);
}

struct Operations::Impl {
  Impl(asio::any_io_executor loop, const Clock& clock, platform::Actions& here, Peers& peers,
       Journal& journal, MigrationContext context, MigrationRules rules)
      : shared{clock,
               here,
               peers,
               journal,
               std::move(context),
               rules,
               TaskGroup(loop, [](const std::string& name, const std::string& what) {
                 log(Level::error, name + " ended by an exception: " + what);
               })} {}

  /// Adds it and drops the oldest ended ones beyond the bound.
  std::shared_ptr<Migration> add(Operation operation, std::optional<bool> copy, bool taken_up) {
    auto migration = std::make_shared<Migration>(shared, std::move(operation), copy, taken_up);
    migrations[migration->operation().id] = migration;
    trim();
    return migration;
  }

  void trim() {
    std::vector<const Operation*> over;
    for (const auto& [id, migration] : migrations)
      if (ended(migration->operation().state)) over.push_back(&migration->operation());
    if (over.size() <= shared.rules.kept) return;
    std::ranges::sort(over, {}, [](const Operation* operation) { return operation->created; });
    over.resize(over.size() - shared.rules.kept);
    for (const auto* operation : over) {
      const auto gone = migrations.extract(operation->id);
      shared.journal.forget(gone.mapped()->operation());
    }
  }

  Operation plan(const MigrationOrder& order, const Vm& vm, const Peer& peer) const {
    Operation out;
    do out.id = freshId();
    while (migrations.contains(out.id));
    out.origin = order.origin;
    out.plan_step = order.plan_step;
    out.return_of = order.return_of;
    out.reasons = order.reasons;
    out.vm = order.vm;
    out.vm_name = vm.name;
    const auto self = shared.context.self();
    out.from = self.uuid;
    out.from_name = self.name;
    out.to = peer.host().value_or(Uuid{});
    out.to_name = peer.name();
    out.cpus = order.cpus;
    out.record.may_share = order.may_share;
    out.memory_bytes = vm.memory_bytes.value_or(0);
    out.created = out.updated = shared.clock.wall();
    out.steps.push_back({OperationState::planned, out.created, ""});
    return out;
  }

  /// That it is not here, and where the last move of it that ended well brought it.
  Error notHere(const MigrationOrder& order, const std::string& vm_name) const {
    const Operation* last = nullptr;
    for (const auto& [id, migration] : migrations) {
      const auto& operation = migration->operation();
      if (operation.vm == order.vm && operation.state == OperationState::done &&
          (!last || operation.created > last->created))
        last = &operation;
    }
    if (!last) return {Code::refused, fmt::format("{} is not here", printable(vm_name))};
    return {Code::refused,
            fmt::format("{} is not here: operation {} moved it to {}, which alone can move it on",
                        printable(vm_name), last->id, printable(last->to_name))};
  }

  /// It came here by a move that has not ended; only the way back may take it from here.
  bool arriving(const MigrationOrder& order) const {
    return order.origin != OperationOrigin::returning && shared.context.arriving &&
           shared.context.arriving(order.vm);
  }

  /// What a wished move is about, as it is here by now. not_found, or refused: it is not here.
  struct Wished {
    Vm vm;
    std::shared_ptr<Peer> peer;
    DepartureFacts facts;
  };
  asio::awaitable<Result<Wished>> look(MigrationOrder order) {
    const auto vm = shared.context.vm(order.vm);
    if (!vm) co_return fail(vm.error());
    const auto peer = shared.peers.find(order.to);
    if (!peer) co_return fail(peer.error());
    auto facts = co_await gatherFacts(shared, order.vm, order.origin, *peer, order.copy_storage);
    if (!facts) co_return fail(facts.error().in("libvirt here"));
    if (facts->presence.state == Presence::State::absent) co_return fail(notHere(order, vm->name));
    co_return Wished{*vm, *peer, std::move(*facts)};
  }

  bool changing(const Uuid& vm) const {
    return shared.context.changing && shared.context.changing(vm);
  }

  void start(const std::shared_ptr<Migration>& migration) {
    shared.tasks.spawn("migration " + migration->operation().id, Migration::run(migration));
  }

  Departures shared;
  std::map<std::string, std::shared_ptr<Migration>> migrations;
  std::set<Uuid> beginning;  ///< VMs whose operation is being written down
};

Operations::Operations(asio::any_io_executor loop, const Clock& clock, platform::Actions& here,
                       Peers& peers, Journal& journal, MigrationContext context,
                       MigrationRules rules)
    : impl_(std::make_unique<Impl>(loop, clock, here, peers, journal, std::move(context), rules)) {}

Operations::~Operations() = default;

void Operations::recover() {
  for (auto& operation : impl_->shared.journal.all()) {
    if (operation.kind != OperationKind::migration || impl_->migrations.contains(operation.id))
      continue;
    const auto migration = impl_->add(std::move(operation), std::nullopt, true);
    if (!ended(migration->operation().state)) impl_->start(migration);
    migration->heedWord();
  }
}

asio::awaitable<Result<MigrationPreview>> Operations::preview(MigrationOrder order) {
  const auto wished = co_await impl_->look(order);
  if (!wished) co_return fail(wished.error());
  const auto& [vm, peer, facts] = *wished;
  auto departure = preflight(facts);
  MigrationPreview out;
  out.vm = order.vm;
  out.vm_name = vm.name;
  out.to = peer->host();
  out.to_name = peer->name();
  out.copy_storage = departure.copy_storage;
  out.checks = std::move(departure.checks);
  if (busy(order.vm)) out.checks.push_back({"operation", false, "another operation moves it"});
  if (impl_->arriving(order)) out.checks.push_back({"arrival", false, std::string(kArriving)});
  if (impl_->changing(order.vm))
    out.checks.push_back({"definition", false, std::string(kChanging)});
  if (facts.definition.live.empty() || out.to == facts.self) co_return out;
  auto operation = impl_->plan(order, vm, *peer);
  operation.copy_storage = out.copy_storage;
  if (facts.placed) operation.memory_bytes = facts.placed->memory_bytes;
  auto question = reserveOrder(operation, impl_->shared.context.self(), facts.definition.live,
                               std::move(departure.disks), std::move(departure.storage));
  question.unlocked = facts.policy.unlocked_disks;
  question.dry_run = true;
  auto answer = co_await peer->reserve(std::move(question));
  if (!answer)
    out.checks.push_back({"destination", false, answer.error().message});
  else
    std::ranges::move(answer->checks, std::back_inserter(out.checks));
  co_return out;
}

asio::awaitable<Result<void>> Operations::mayBegin(MigrationOrder order) {
  if (busy(order.vm) || impl_->arriving(order) || impl_->changing(order.vm))
    co_return Result<void>{};
  const auto wished = co_await impl_->look(std::move(order));
  if (!wished) co_return fail(wished.error());
  if (const auto checks = preflight(wished->facts).checks; !allHeld(checks))
    co_return fail(Code::refused,
                   fmt::format("{} is not moved to {}: {}", printable(wished->vm.name),
                               printable(wished->peer->name()), faults(checks)));
  co_return Result<void>{};
}

asio::awaitable<Result<Operation>> Operations::migrate(MigrationOrder order) {
  auto& shared = impl_->shared;
  const auto vm = shared.context.vm(order.vm);
  if (!vm) co_return fail(vm.error());
  const auto peer = shared.peers.find(order.to);
  if (!peer) co_return fail(peer.error());
  if ((*peer)->host() == shared.context.self().uuid)
    co_return fail(Code::invalid, printable((*peer)->name()) + " is this host");
  // Whoever asks again, since an answer was lost, is not to take that for another one's.
  if (impl_->beginning.contains(order.vm))
    co_return fail(Code::busy,
                   fmt::format("an operation of {} is being begun", printable(vm->name)));
  if (busy(order.vm))
    co_return fail(Code::refused, "another operation moves " + printable(vm->name));
  if (impl_->arriving(order))
    co_return fail(Code::refused, fmt::format("{}: {}", printable(vm->name), kArriving));
  if (impl_->changing(order.vm))
    co_return fail(Code::refused, fmt::format("{}: {}", printable(vm->name), kChanging));
  if (auto may = granted(order.origin, shared.context.policy(order.vm), shared.stopped()); !may)
    co_return fail(may.error());
  const auto under_way = std::ranges::count_if(
      impl_->migrations, [](const auto& entry) { return moving(entry.second->operation()); });
  if (static_cast<std::size_t>(under_way) + impl_->beginning.size() >= shared.rules.at_once)
    co_return fail(Code::busy, fmt::format("{} migrations are under way, which is the bound",
                                           shared.rules.at_once));
  const auto operation = impl_->plan(order, *vm, **peer);
  struct Beginning {
    Beginning(std::set<Uuid>& the_set, Uuid the_vm) : set(the_set), vm(the_vm) { set.insert(vm); }
    ~Beginning() { set.erase(vm); }
    std::set<Uuid>& set;
    Uuid vm;
  } const beginning(impl_->beginning, order.vm);
  const auto here = co_await shared.here.presence(order.vm);
  if (!here) co_return fail(here.error().in("libvirt here"));
  if (here->state == Presence::State::absent) co_return fail(impl_->notHere(order, vm->name));
  const auto written = co_await shared.journal.write(operation);
  if (!written) co_return fail(written.error().in("the operation cannot be written down"));
  const auto migration = impl_->add(operation, order.copy_storage, false);
  Event event;
  event.time = operation.created;
  event.kind = "operation.started";
  event.entity = operation.vm;
  event.message = fmt::format("migration of {} to {} began", printable(operation.vm_name),
                              printable(operation.to_name));
  event.fields = {
      {"operation", operation.id}, {"from", operation.from_name}, {"to", operation.to_name}};
  shared.context.report(std::move(event));
  impl_->start(migration);
  co_return operation;
}

asio::awaitable<Result<Operation>> Operations::abort(std::string id, bool fenced) {
  const auto found = impl_->migrations.find(id);
  if (found == impl_->migrations.end())
    co_return fail(Code::not_found, "no operation " + printable(id));
  auto asked =
      co_await (fenced ? Migration::fence(found->second) : Migration::abort(found->second));
  if (asked) asked->record.definition.clear();
  co_return asked;
}

std::vector<Operation> Operations::all() const {
  std::vector<Operation> out;
  for (const auto& [id, migration] : impl_->migrations) out.push_back(migration->told());
  std::ranges::sort(out, std::greater{}, [](const Operation& operation) {
    return std::pair(operation.created, operation.id);
  });
  return out;
}

std::vector<OperationState> Operations::states() const {
  std::vector<OperationState> out;
  out.reserve(impl_->migrations.size());
  for (const auto& [id, migration] : impl_->migrations) out.push_back(migration->operation().state);
  return out;
}

std::optional<Operation> Operations::find(const std::string& id) const {
  const auto found = impl_->migrations.find(id);
  if (found == impl_->migrations.end()) return std::nullopt;
  return found->second->told();
}

bool Operations::busy(const Uuid& vm) const {
  return impl_->beginning.contains(vm) ||
         std::ranges::any_of(impl_->migrations, [&](const auto& entry) {
           const auto& operation = entry.second->operation();
           return operation.vm == vm && !ended(operation.state);
         });
}

std::vector<Flight> Operations::flights() const {
  std::vector<Flight> out;
  for (const auto& [id, migration] : impl_->migrations) {
    const auto& operation = migration->operation();
    if (!ended(operation.state))
      out.push_back({operation.id, operation.vm, operation.from, operation.to});
  }
  return out;
}

void Operations::cancel() {
  impl_->shared.tasks.cancel();
}

asio::awaitable<void> Operations::join() {
  co_await impl_->shared.tasks.join();
}

}  // namespace virtseer::act
