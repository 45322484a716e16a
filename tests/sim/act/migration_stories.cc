#include <algorithm>

#include "sim/act/world.h"

namespace virtseer::sim {
namespace {

std::vector<State> states(const Operation& operation) {
  std::vector<State> out;
  for (const auto& step : operation.steps)
    if (out.empty() || out.back() != step.state) out.push_back(step.state);
  return out;
}

TEST_CASE("a VM moves, is watched, and all that belongs to it follows") {
  World world;
  world.movesTake(Millis(3'000));
  world.begin();
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::done);
  CHECK(states(operation) == std::vector{State::planned, State::checking, State::reserving,
                                         State::preparing, State::migrating, State::settling,
                                         State::verifying, State::committing, State::done});
  world.checkRunsAtBOnly();
  CHECK(operation.downtime == Millis(150));
  CHECK(operation.before);
  CHECK(operation.after);
  CHECK(*operation.ended - operation.created >= world.a.rules.watch);
  CHECK(world.b.libvirt.vm(kVm).definition.autostart);
  CHECK(world.b.committed.contains(operation.id));
  REQUIRE(world.b.moves.size() == 1);
  CHECK(world.b.moves.front().outcome == MoveOutcome::done);
  CHECK(world.a.count("operation.started") == 1);
  CHECK(world.a.count("operation.finished") == 1);
  CHECK(world.a.count("operation.failed") == 0);
  CHECK(world.a.peer->count("renew") >= 3);
}

TEST_CASE("every state is written down before it is acted upon") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.run(Millis(1'000));
  const auto& calls = world.a.libvirt.calls();
  CHECK(std::ranges::count(calls, "setAutostart " + kVm.text() + " no") == 1);
  CHECK(world.a.libvirt.moving(kVm));
  const auto kept = world.a.journal.all();
  REQUIRE(kept.size() == 1);
  CHECK(kept.front().state == State::migrating);
  CHECK(kept.front().record.asked_to_move);
  CHECK(kept.front().record.autostart);
  CHECK(kept.front().record.cleared);
  CHECK_FALSE(kept.front().record.definition.empty());
}

TEST_CASE("an abort during the move leaves the VM as it was") {
  World world;
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::migrating));
  world.time.run(Millis(2'000));
  REQUIRE(world.a.abort(id));
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::aborted);
  world.checkRunsAtAOnly();
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  CHECK(world.b.released.contains(id));
  CHECK_FALSE(world.a.abort(id));
  CHECK(world.a.moves.empty());
}

TEST_CASE("that a person aborted virtseer's own move is kept with the VM, at whatever step") {
  World world;
  const bool moving = GENERATE(false, true);
  if (!moving) world.a.libvirt.hold(FakeActions::Call::set_autostart);
  const auto id = world.begin(order(kVm, "b", OperationOrigin::plan)).id;
  REQUIRE(world.reaches(moving ? State::migrating : State::preparing));
  REQUIRE(world.a.abort(id));
  world.a.libvirt.release(FakeActions::Call::set_autostart);
  REQUIRE(world.ends());
  REQUIRE(world.operation().state == State::aborted);
  REQUIRE(world.a.moves.size() == 1);
  CHECK(world.a.moves.front().outcome == MoveOutcome::aborted);
  CHECK(world.a.moves.front().automatic);
}

TEST_CASE("an abort before anything moved asks libvirt for nothing") {
  World world;
  world.a.libvirt.hold(FakeActions::Call::set_autostart);
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::preparing));
  REQUIRE(world.a.abort(id));
  world.a.libvirt.release(FakeActions::Call::set_autostart);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::aborted);
  CHECK(world.a.libvirt.count("migrate") == 0);
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  world.checkRunsAtAOnly();
}

TEST_CASE("an abort that comes too late is refused, and the move goes on") {
  World world;
  world.movesTake(Millis(1'000));
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::verifying));
  const auto refused = world.a.abort(id);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::refused);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
}

TEST_CASE("a destination that does not take it refuses before anything is touched") {
  World world;
  world.b.checks.push_back({"memory", false, "1 GiB is free, 2 GiB are needed"});
  world.begin();
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::refused);
  CHECK_THAT(operation.message, Catch::Contains("2 GiB are needed"));
  CHECK(world.a.libvirt.count("migrate") == 0);
  CHECK(world.a.libvirt.count("setAutostart") == 0);
  world.checkRunsAtAOnly();
}

TEST_CASE("a destination that is silent before anything moves is a refusal") {
  World world;
  world.cut(true);
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::refused);
  CHECK(world.a.libvirt.count("migrate") == 0);
  CHECK(world.a.libvirt.count("setAutostart") == 0);
  world.checkRunsAtAOnly();
}

TEST_CASE("without a store nothing is begun") {
  World world;
  world.a.journal.failure = Error{Code::unreachable, "the store is in memory only"};
  const auto begun = world.a.migrate(order(kVm, "b"));
  REQUIRE_FALSE(begun);
  CHECK(begun.error().code == Code::unreachable);
  CHECK(world.a.operations->all().empty());
  CHECK_FALSE(world.a.operations->busy(kVm));
  world.time.run(Millis(10'000));
  CHECK(world.a.libvirt.count("migrate") == 0);
  CHECK(world.a.peer->calls().empty());
}

TEST_CASE(
    "a store that fails stops the operation before its next step, and what was done is undone") {
  for (const auto stop_at :
       {State::checking, State::reserving, State::preparing, State::migrating}) {
    INFO(name(stop_at));
    World world;
    world.a.journal.before_write = [&](const Operation& operation) {
      if (operation.state == stop_at)
        world.a.journal.failure = Error{Code::unreachable, "the disk is gone"};
    };
    world.begin();
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::failed);
    CHECK_THAT(world.operation().message, Catch::Contains("the disk is gone"));
    CHECK(world.a.libvirt.count("migrate") == 0);
    CHECK(world.a.libvirt.vm(kVm).definition.autostart);
    world.checkRunsAtAOnly();
  }
}

TEST_CASE("a store that fails after the switch-over holds the operation up, not the VM") {
  World world;
  world.movesTake(Millis(1'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.a.journal.failure = Error{Code::unreachable, "the disk is gone"};
  world.time.run(Millis(120'000));
  CHECK(world.operation().state == State::verifying);
  CHECK_THAT(world.operation().message, Catch::Contains("the disk is gone"));
  CHECK(world.b.committed.empty());
  world.a.journal.failure.reset();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  world.checkRunsAtBOnly();
}

TEST_CASE("a VM has one operation at a time, and a daemon so many") {
  World world;
  world.a.libvirt.add(kVm2, "db");
  const auto kVm3 = *Uuid::parse("00000000-0000-0000-0000-000000000003");
  world.a.libvirt.add(kVm3, "mail");
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  const auto again = world.a.migrate(order(kVm, "b"));
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Code::refused);
  CHECK(world.a.operations->all().size() == 1);
  REQUIRE(world.a.migrate(order(kVm2, "b")));
  const auto third = world.a.migrate(order(kVm3, "b"));
  REQUIRE_FALSE(third);
  CHECK(third.error().code == Code::busy);
  CHECK(world.a.operations->flights().size() == 2);
}

TEST_CASE("an order for an unknown VM, an unknown host or its own host begins nothing") {
  World world;
  CHECK(world.a.migrate(order(kVm2, "b")).error().code == Code::not_found);
  CHECK(world.a.migrate(order(kVm, "nowhere")).error().code == Code::not_found);
  world.a.peers.add("mirror", world.a.uuid, "qemu:///system");
  CHECK(world.a.migrate(order(kVm, "mirror")).error().code == Code::invalid);
  CHECK(world.a.operations->all().empty());
}

TEST_CASE("policy is asked before an operation begins") {
  World world;
  world.a.policy.mode = Mode::suggest;
  const auto planned = world.a.migrate(order(kVm, "b", OperationOrigin::plan));
  REQUIRE_FALSE(planned);
  CHECK(planned.error().code == Code::refused);
  world.a.policy.migrate = false;
  const auto ordered = world.a.migrate(order(kVm, "b"));
  REQUIRE_FALSE(ordered);
  CHECK(ordered.error().code == Code::refused);
}

TEST_CASE("copied disks are renamed at once and deleted after commit only") {
  World world;
  auto& vm = world.a.libvirt.vm(kVm);
  vm.placed.disks = {{"dir", 1 << 20}};
  vm.definition.local_disks = {{"vda", "/pool/web.qcow2", 1 << 20}};
  world.a.libvirt.files() = {"/pool/web.qcow2"};
  world.movesTake(Millis(1'000));
  auto copying = order(kVm, "b");
  copying.copy_storage = true;
  const auto id = world.begin(copying).id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  CHECK(world.a.libvirt.order(kVm).copy_storage);
  CHECK(world.a.libvirt.files() == std::set<std::string>{"/pool/web.qcow2"});
  REQUIRE(world.reaches(State::verifying));
  CHECK(world.a.libvirt.files() == std::set<std::string>{"/pool/web.qcow2.moved-" + id});
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  CHECK(world.a.libvirt.files().empty());
}

TEST_CASE("a move without progress is ended by the watchdog") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  MigrationProgress progress;
  progress.processed_bytes = 5;
  world.a.libvirt.vm(kVm).progress = progress;
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::failed);
  CHECK_THAT(operation.message, Catch::Contains("no progress for 60 s"));
  CHECK(*operation.ended - operation.created < Millis(80'000));
  world.checkRunsAtAOnly();
  REQUIRE(world.a.moves.size() == 1);
  CHECK(world.a.moves.front().outcome == MoveOutcome::failed);
}

TEST_CASE("a VM that writes its memory faster than it is sent is not moved for ever") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.onStep([&](Millis) {
    if (!world.a.libvirt.moving(kVm)) return;
    auto& progress = world.a.libvirt.vm(kVm).progress;
    if (!progress) progress.emplace();
    progress->processed_bytes += 100;
    progress->remaining_bytes = 1000 + progress->processed_bytes % 7;
  });
  REQUIRE(world.ends(Millis(1'200'000)));
  const auto operation = world.operation();
  CHECK(operation.state == State::failed);
  CHECK(*operation.ended - operation.created >= 10 * world.a.rules.stall);
  world.checkRunsAtAOnly();
}

TEST_CASE("a way back that waits for its turn at the other host is asked for again") {
  World world;
  world.movesTake(Millis(2'000));
  world.b.wellbeing.agent = false;
  const auto asked = world.a.peer->on_send_back;
  int times = 0;
  world.a.peer->on_send_back = [&](std::string id) -> boost::asio::awaitable<Result<Operation>> {
    if (++times < 3) co_return fail(Code::busy, "2 migrations are under way");
    co_return co_await asked(id);
  };
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::returned);
  CHECK(times == 3);
  world.checkRunsAtAOnly();
}

TEST_CASE("a VM that does not do well at its destination comes back") {
  World world;
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::returning));
  CHECK(world.b.libvirt.runs(kVm));
  // At home it does well, and the other daemon sees that.
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::returned);
  CHECK_THAT(operation.message, Catch::Contains("its vCPUs wait"));
  world.checkRunsAtAOnly();
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  const auto back = world.b.only();
  CHECK(back.origin == OperationOrigin::returning);
  CHECK(back.return_of == id);
  CHECK(back.state == State::done);
  CHECK(world.b.released.contains(id));
}

TEST_CASE("without the way back a person is told where the VM is and what to do") {
  World world;
  world.movesTake(Millis(2'000));
  world.b.wellbeing.agent = false;
  world.a.policy.return_trip = false;
  world.begin();
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::needs_person);
  CHECK_FALSE(operation.advice.empty());
  world.checkRunsAtBOnly();
  CHECK(world.b.libvirt.vm(kVm).definition.autostart);
  REQUIRE(world.a.events.back().kind == "operation.failed");
  CHECK(world.a.events.back().severity == Severity::error);
}

TEST_CASE("what the VM's own metadata says of the way back holds after it has left") {
  World world;
  world.movesTake(Millis(2'000));
  world.b.wellbeing.agent = false;
  PolicyMetadata metadata;
  metadata.set.return_trip = false;
  world.a.libvirt.vm(kVm).placed.metadata = metadata;
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("forbids the way back"));
  world.checkRunsAtBOnly();
}

TEST_CASE("a way back that is refused ends with a person, and is not tried twice") {
  World world;
  world.movesTake(Millis(2'000));
  world.b.wellbeing.agent = false;
  world.a.checks.push_back({"maintenance", false, "this host is in maintenance"});
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("maintenance"));
  CHECK(world.a.peer->count("return") == 1);
  world.checkRunsAtBOnly();
}

TEST_CASE("a guest that shuts itself down during the move is not started anywhere") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.libvirt.failMove(kVm, {Code::failed, "domain is no longer running"});
  world.a.libvirt.vm(kVm).presence.state = Presence::State::off;
  world.a.libvirt.vm(kVm).presence.reason = "off: shutdown";
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  CHECK_THAT(world.operation().message, Catch::Contains("shut down at the source"));
  CHECK(world.a.libvirt.count("start ") == 0);
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
}

TEST_CASE("a look at a move changes nothing") {
  World world;
  world.b.checks = {{"disk vda", false, "not reachable"}};
  std::optional<Result<act::MigrationPreview>> preview;
  boost::asio::co_spawn(
      world.time.loop(),
      [](World& the_world,
         std::optional<Result<act::MigrationPreview>>& out) -> boost::asio::awaitable<void> {
        out = co_await the_world.a.operations->preview(order(kVm, "b"));
      }(world, preview),
      [](std::exception_ptr) {});
  world.time.settle();
  REQUIRE(preview);
  REQUIRE(*preview);
  CHECK_FALSE((*preview)->fits());
  CHECK(std::ranges::count((*preview)->checks, "disk vda", &Check::name) == 1);
  CHECK(world.b.reserved.empty());
  CHECK(world.a.journal.history.empty());
  CHECK(world.a.operations->all().empty());
}

TEST_CASE("operations that ended long ago are forgotten") {
  World world;
  world.a.kill();
  world.a.rules.kept = 3;
  world.a.start();
  world.b.checks.push_back({"cpu", false, "no"});
  for (int i = 0; i < 6; ++i) {
    REQUIRE(world.a.migrate(order(kVm, "b")));
    world.time.run(Millis(2'000));
  }
  CHECK(world.a.operations->all().size() <= 4);
  CHECK(world.a.journal.kept.size() <= 4);
}

}  // namespace
}  // namespace virtseer::sim
