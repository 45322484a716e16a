#include "sim/act/world.h"

#include <algorithm>

namespace virtseer::sim {

namespace asio = boost::asio;

namespace {

using Answered = asio::awaitable<Result<void>>;

/// The result of a coroutine that needs no time to pass.
template <class T>
T now(test::VirtualTime& time, asio::awaitable<T> task) {
  std::optional<T> out;
  std::exception_ptr failed;
  asio::co_spawn(
      time.loop(),
      [](asio::awaitable<T> inner, std::optional<T>* to) -> asio::awaitable<void> {
        to->emplace(co_await std::move(inner));
      }(std::move(task), &out),
      [&](std::exception_ptr error) { failed = error; });
  time.settle();
  if (failed) std::rethrow_exception(failed);
  REQUIRE(out);
  return std::move(*out);
}

}  // namespace

Side::Side(test::VirtualTime& time, std::string the_name, Uuid the_uuid)
    : name(std::move(the_name)), uuid(the_uuid), libvirt(time.loop().get_executor()), time_(time) {
  HostState host;
  host.storage = {{.id = "nfs", .shared = true}, {.id = "dir", .shared = false}};
  libvirt.setHost(host);
  libvirt.holdMoves(true);
  wellbeing.agent = true;
  wellbeing.echo_age = Millis(1000);
  wellbeing.cpu_cores = 1.0;
  wellbeing.cpu_delay_cores = 0.2;
  policy.mode = Mode::automatic;
}

void Side::start() {
  act::MigrationContext context;
  context.self = [this] {
    Host host;
    host.uuid = uuid;
    host.name = name;
    host.self = true;
    return host;
  };
  context.vm = [this](const Uuid& vm) -> Result<Vm> {
    const auto* found = libvirt.find(vm);
    if (!found && vm != gone) return fail(Code::not_found, "no such VM");
    Vm out;
    out.uuid = vm;
    out.name = found ? found->name : "web";
    return out;
  };
  context.policy = [this](const Uuid&) { return policy; };
  context.wellbeing = [this](const Uuid&) { return wellbeing; };
  context.moves = [this](const Uuid&) { return moves; };
  context.moved = [this](const Uuid&, PastMove move) { moves.push_back(std::move(move)); };
  context.report = [this](Event event) { events.push_back(std::move(event)); };
  context.arriving = [this](const Uuid&) { return arriving; };
  context.changing = [this](const Uuid&) { return changing; };
  context.tokens = &tokens;
  context.stopped = [this] { return stopped; };
  context.pause = [this](Millis span) { return time_.pause(span); };
  operations =
      std::make_unique<act::Operations>(time_.loop().get_executor(), time_.clock(), libvirt, peers,
                                        journal, std::move(context), rules);
  operations->recover();
  if (both_halves) startArrivals();
}

void Side::startArrivals() {
  act::ArrivalContext context;
  context.self = [this] {
    Host host;
    host.uuid = uuid;
    host.name = name;
    return host;
  };
  context.room = [this] {
    HostRoom room;
    room.cpus = 16;
    room.used_cpus = used_cpus;
    room.memory_bytes = std::uint64_t{64} << 30;
    return room;
  };
  context.adopt = [this](const Uuid&, std::vector<PastMove> adopted) { moves = adopted; };
  context.tokens = &tokens;
  context.sent = [this](const std::string& id) -> Result<Operation> {
    const auto found = operations->find(id);
    if (!found) return fail(Code::not_found, "no such operation");
    return *found;
  };
  context.report = [this](Event event) { events.push_back(std::move(event)); };
  context.pause = [this](Millis span) { return time_.pause(span); };
  arrivals = std::make_unique<act::Arrivals>(time_.loop().get_executor(), time_.clock(), libvirt,
                                             peers, journal, std::move(context));
  libvirt.onChange(
      [this](const Uuid& vm, const platform::FakeVm&, std::string_view, std::string_view) {
        if (arrivals) arrivals->nudge(vm);
      });
  arrivals->recover();
}

void Side::kill() {
  if (!operations) return;
  int joined = 0;
  const auto join = [&](auto& half) {
    half.cancel();
    asio::co_spawn(time_.loop(), half.join(), [&](std::exception_ptr) { ++joined; });
  };
  join(*operations);
  if (arrivals) join(*arrivals);
  time_.settle();
  REQUIRE(joined == (arrivals ? 2 : 1));
  arrivals.reset();
  operations.reset();
}

RemoteVm Side::tell(Uuid vm) {
  RemoteVm out;
  out.host = uuid;
  if (const auto* found = libvirt.find(vm)) out.presence = found->presence;
  out.presence.suspended = (arrivals ? arrivals->suspended(vm) : suspended) &&
                           out.presence.state == Presence::State::paused;
  out.wellbeing = wellbeing;
  return out;
}

void Side::know(Side& other) {
  libvirt.link(other.uri(), other.libvirt);
  peer = peers.add(other.name, other.uuid, other.uri());
  auto* there = &other;
  if (both_halves)
    answerByArrivals(other);
  else
    answerByScript(other);
  peer->on_vm = [there](Uuid vm) -> asio::awaitable<Result<RemoteVm>> {
    co_return there->tell(vm);
  };
  peer->on_send_back = [there, to = name](std::string id) -> asio::awaitable<Result<Operation>> {
    // Once, however often it is asked for.
    for (auto& begun : there->operations->all())
      if (begun.return_of == id) co_return std::move(begun);
    act::MigrationOrder order;
    order.vm = kVm;
    order.to = to;
    order.origin = OperationOrigin::returning;
    order.return_of = id;
    co_return co_await there->operations->migrate(std::move(order));
  };
  peer->on_operation = [there](std::string id) -> asio::awaitable<Result<Operation>> {
    auto found = there->operations->find(id);
    if (!found && there->arrivals) found = there->arrivals->find(id);
    if (!found) co_return fail(Code::not_found, "no such operation");
    co_return *found;
  };
}

void Side::answerByScript(Side& other) {
  auto* there = &other;
  peer->on_reserve = [there](ReserveOrder order) -> asio::awaitable<Result<ReserveAnswer>> {
    ReserveAnswer answer{there->checks, std::nullopt};
    const auto held = std::ranges::all_of(there->checks, &Check::held);
    if (held) {
      answer.reservation.emplace();
      answer.reservation->operation = order.operation;
      answer.reservation->expires = there->time_.clock().wall() + Millis(60'000);
      if (!order.dry_run) there->reserved.insert(order.operation);
    }
    co_return answer;
  };
  peer->on_renew = [there](std::string id) -> asio::awaitable<Result<Reservation>> {
    if (!there->reserved.contains(id)) co_return fail(Code::not_found, "no such reservation");
    Reservation out;
    out.operation = id;
    out.expires = there->time_.clock().wall() + Millis(60'000);
    co_return out;
  };
  peer->on_release = [there](std::string id) -> Answered {
    there->reserved.erase(id);
    there->released.insert(id);
    co_return Result<void>{};
  };
  peer->on_commit = [there](std::string id, CommitOrder order) -> Answered {
    there->committed.insert(id);
    if (there->libvirt.find(kVm)) there->libvirt.vm(kVm).definition.autostart = order.autostart;
    there->moves = order.moves;
    there->commit_order = std::move(order);
    co_return Result<void>{};
  };
  peer->on_token = [there](std::string, std::string token) -> Answered {
    return there->tokens.keep(kVm, std::move(token));
  };
  peer->on_revive = [there](std::string) -> Answered { return there->libvirt.start(kVm, ""); };
}

void Side::answerByArrivals(Side& other) {
  auto* there = &other;
  peer->on_reserve = [there](ReserveOrder order) -> asio::awaitable<Result<ReserveAnswer>> {
    return there->arrivals->reserve(std::move(order));
  };
  peer->on_renew = [there](std::string id) -> asio::awaitable<Result<Reservation>> {
    co_return there->arrivals->renew(id);
  };
  peer->on_release = [there](std::string id) -> Answered {
    there->released.insert(id);
    return there->arrivals->release(std::move(id));
  };
  peer->on_commit = [there](std::string id, CommitOrder order) -> Answered {
    there->committed.insert(id);
    return there->arrivals->commit(std::move(id), std::move(order));
  };
  peer->on_token = [there](std::string id, std::string token) -> Answered {
    return there->arrivals->takeToken(std::move(id), std::move(token));
  };
  peer->on_revive = [there](std::string id) -> Answered {
    return there->arrivals->revive(std::move(id));
  };
}

Result<Operation> Side::migrate(act::MigrationOrder order) {
  return now(time_, operations->migrate(std::move(order)));
}

Result<void> Side::mayBegin(act::MigrationOrder order) {
  return now(time_, operations->mayBegin(std::move(order)));
}

Result<Operation> Side::abort(std::string id, bool fenced) {
  return now(time_, operations->abort(std::move(id), fenced));
}

Operation Side::only() const {
  const auto all = operations->all();
  REQUIRE(all.size() == 1);
  return all.front();
}

std::size_t Side::count(const std::string& kind) const {
  return static_cast<std::size_t>(std::ranges::count(events, kind, &Event::kind));
}

World::World(bool both_halves)
    : a(time, "a", *Uuid::parse("00000000-0000-0000-0000-00000000000a")),
      b(time, "b", *Uuid::parse("00000000-0000-0000-0000-00000000000b")) {
  auto& vm = a.libvirt.add(kVm, "web");
  vm.definition.autostart = true;
  vm.placed.memory_bytes = 1 << 30;
  a.both_halves = b.both_halves = both_halves;
  a.tokens.tokens[kVm] = "secret";
  a.know(b);
  b.know(a);
  time.onStep([this](Millis by) {
    step(a);
    step(b);
    none_runs_for = running() > 0 ? Millis(0) : none_runs_for + by;
  });
  time.always([this] {
    if (running() > 1 && !both_may_run) FAIL("two copies run");
    if (none_runs_for > none_may_run_for) FAIL("no copy runs");
  });
  a.start();
  b.start();
}

World::~World() {
  for (auto* side : {&a, &b, c_.get()}) {
    if (!side || !side->operations) continue;
    side->operations->cancel();
    asio::co_spawn(time.loop(), side->operations->join(), [](std::exception_ptr) {});
    if (!side->arrivals) continue;
    side->arrivals->cancel();
    asio::co_spawn(time.loop(), side->arrivals->join(), [](std::exception_ptr) {});
  }
  time.loop().restart();
  time.loop().poll();
}

Side& World::third() {
  if (c_) return *c_;
  c_ = std::make_unique<Side>(time, "c", *Uuid::parse("00000000-0000-0000-0000-00000000000c"));
  c_->both_halves = true;
  const auto to_b = a.peer;
  a.know(*c_);
  a.peer = to_b;
  c_->know(a);
  c_->start();
  return *c_;
}

int World::running() const {
  int out = a.libvirt.runs(kVm) + b.libvirt.runs(kVm);
  if (c_) out += c_->libvirt.runs(kVm);
  return out;
}

void World::step(Side& from) {
  for (const auto& vm : {kVm, kVm2}) {
    if (!from.libvirt.moving(vm)) {
      moving_for_.erase(from.name + vm.text());
      continue;
    }
    auto& spent = moving_for_[from.name + vm.text()];
    spent += time.step;
    if (!move_takes_) continue;
    MigrationProgress progress;
    progress.processed_bytes = static_cast<std::uint64_t>(spent.count());
    progress.elapsed = spent;
    from.libvirt.vm(vm).progress = progress;
    if (spent >= *move_takes_) from.libvirt.finishMove(vm);
  }
}

Operation World::begin(act::MigrationOrder order) {
  if (order.vm.isNil()) order.vm = kVm;
  if (order.to.empty()) order.to = "b";
  const auto begun = a.migrate(std::move(order));
  INFO((begun ? "" : begun.error().message));
  REQUIRE(begun);
  return *begun;
}

bool World::reaches(State state, Millis most) {
  return time.runUntil([&] { return operation().state == state; }, most);
}

bool World::ends(Millis most) {
  return time.runUntil([&] { return ended(operation().state); }, most);
}

void World::cut(bool silent) {
  a.peer->silent = b.peer->silent = silent;
}

void World::movesTake(Millis span) {
  move_takes_ = span;
}

void World::checkRunsAtAOnly() {
  CHECK(a.libvirt.runs(kVm));
  CHECK(b.libvirt.find(kVm) == nullptr);
}

void World::checkRunsAtBOnly() {
  CHECK(b.libvirt.runs(kVm));
  CHECK(a.libvirt.find(kVm) == nullptr);
}

}  // namespace virtseer::sim
