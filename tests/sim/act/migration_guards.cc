#include <stdexcept>

#include "sim/act/world.h"

/// What keeps a move from beginning or going on, and what is remembered of it.
namespace virtseer::sim {
namespace {

using Call = FakeActions::Call;

TEST_CASE("a VM whose arrival has not ended is moved on by nobody, but may go back") {
  World world;
  world.a.arriving = true;
  for (const auto origin : {OperationOrigin::person, OperationOrigin::plan}) {
    const auto refused = world.a.migrate(order(kVm, "b", origin));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::refused);
    CHECK_THAT(refused.error().message, Catch::Contains("being verified"));
  }
  CHECK(world.a.operations->all().empty());
  CHECK(world.a.migrate(order(kVm, "b", OperationOrigin::returning)));
}

TEST_CASE("a VM whose definition is being changed is moved by nobody meanwhile") {
  World world;
  world.a.changing = true;
  for (const auto origin : {OperationOrigin::person, OperationOrigin::plan}) {
    const auto refused = world.a.migrate(order(kVm, "b", origin));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::refused);
    CHECK_THAT(refused.error().message, Catch::Contains("being enrolled"));
  }
  CHECK(world.a.operations->all().empty());
  world.a.changing = false;
  CHECK(world.a.migrate(order(kVm, "b")));
}

TEST_CASE("a VM that has gone is not moved from here, and the answer names where it went") {
  World world;
  world.movesTake(Millis(1'000));
  const auto id = world.begin().id;
  REQUIRE(world.ends());
  REQUIRE(world.operation().state == State::done);
  // Its name is still known here, as that of a VM that is gone.
  world.a.gone = kVm;

  const auto refused = world.a.migrate(order(kVm, "b"));

  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::refused);
  CHECK(refused.error().message ==
        "web is not here: operation " + id + " moved it to b, which alone can move it on");
  CHECK(world.a.operations->all().size() == 1);
}

TEST_CASE("what pre-flight here refuses can be told before an operation is begun") {
  World world;
  CHECK(world.a.mayBegin(order(kVm, "b")));
  world.a.libvirt.vm(kVm).placed.unmovable = {"host device pci"};

  const auto refused = world.a.mayBegin(order(kVm, "b"));

  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::refused);
  CHECK(refused.error().message ==
        "web is not moved to b: devices: bound to this host: host device pci");
  CHECK(world.a.mayBegin(order(kVm, "x")).error().code == Code::not_found);
  CHECK(world.a.operations->all().empty());
  // What is refused to a plan is remembered, so that it does not ask again and again.
  REQUIRE(world.a.migrate(order(kVm, "b", OperationOrigin::plan)));
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::refused);
  CHECK(world.a.count("operation.refused") == 1);
}

TEST_CASE("a VM that was never moved and is not here is refused before anything is written") {
  World world;
  world.a.libvirt.remove(kVm);
  world.a.gone = kVm;

  const auto refused = world.a.migrate(order(kVm, "b"));

  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "web is not here");
  CHECK(world.a.operations->all().empty());
}

TEST_CASE("what moved once and is gone from its destination is not defined at the source again") {
  World world;
  world.none_may_run_for = Millis(3'600'000);
  world.movesTake(Millis(1'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  // Somebody moved it on, to a third host.
  world.b.libvirt.remove(kVm);
  SECTION("at once") {}
  SECTION("and after a restart") {
    REQUIRE(world.reaches(State::settling));
    world.a.kill();
    world.a.start();
  }
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK(world.a.libvirt.count("define") == 0);
  CHECK(world.a.libvirt.find(kVm) == nullptr);
}

TEST_CASE("the global stop holds a plan's operation back, and not a person's") {
  World world;
  world.a.stopped = true;
  const auto refused = world.a.migrate(order(kVm, "b", OperationOrigin::plan));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::refused);
  CHECK(world.a.migrate(order(kVm, "b")));
}

TEST_CASE("a stop or another policy until just before the move ends a plan's operation") {
  for (const bool stop : {true, false}) {
    World world;
    world.a.libvirt.hold(Call::set_autostart);
    world.begin(order(kVm, "b", OperationOrigin::plan));
    REQUIRE(world.reaches(State::preparing));
    if (stop)
      world.a.stopped = true;
    else
      world.a.policy.mode = Mode::suggest;
    world.a.libvirt.release(Call::set_autostart);
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::refused);
    CHECK(world.a.libvirt.count("migrate") == 0);
    CHECK(world.a.libvirt.vm(kVm).definition.autostart);
    CHECK(world.b.released.contains(world.operation().id));
    world.checkRunsAtAOnly();
  }
}

TEST_CASE("metadata that was written since policy was resolved takes the permission away") {
  World world;
  PolicyMetadata metadata;
  metadata.set.mode = Mode::observe;
  world.a.libvirt.vm(kVm).placed.metadata = metadata;
  world.begin(order(kVm, "b", OperationOrigin::plan));
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::refused);
  CHECK(world.a.libvirt.count("migrate") == 0);
}

TEST_CASE("the way back of a plan's operation is not held up by the stop") {
  World world;
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  world.begin(order(kVm, "b", OperationOrigin::plan));
  REQUIRE(world.reaches(State::verifying));
  world.a.stopped = world.b.stopped = true;
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::returned);
  world.checkRunsAtAOnly();
}

TEST_CASE("an abort is written down before it is answered, and a restart honours it") {
  World world;
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  REQUIRE(world.a.abort(id));
  CHECK(world.a.journal.kept.at(id).abort_requested);
  CHECK(world.a.journal.kept.at(id).state == State::migrating);
  CHECK(world.a.libvirt.count("abortJob") == 0);
  world.a.kill();
  world.a.start();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::aborted);
  world.checkRunsAtAOnly();
}

TEST_CASE("an abort that is asked for while a state is written does not put an older one over it") {
  World world;
  world.a.journal.after_write = [&](State state) -> boost::asio::awaitable<void> {
    if (state == State::migrating) co_await world.time.pause(Millis(1'000));
  };
  const auto id = world.begin().id;
  const auto written = [&] { return world.a.journal.kept.at(id).state == State::migrating; };
  REQUIRE(world.time.runUntil(written, Millis(30'000)));
  REQUIRE(world.operation().state == State::preparing);
  std::optional<Result<Operation>> answer;
  boost::asio::co_spawn(
      world.time.loop(),
      [](World& the_world, std::string of,
         std::optional<Result<Operation>>& out) -> boost::asio::awaitable<void> {
        out = co_await the_world.a.operations->abort(of);
      }(world, id, answer),
      [](std::exception_ptr) {});
  world.time.settle();
  CHECK_FALSE(answer);
  CHECK(written());
  REQUIRE(world.ends());
  CHECK(answer);
  CHECK(world.operation().state == State::aborted);
  world.checkRunsAtAOnly();
}

TEST_CASE("a word on a silent host that answers while it is written down takes nothing away") {
  World world;
  world.movesTake(Millis(1'000));
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::verifying));
  world.a.peer->on_commit = [&, commit = world.a.peer->on_commit](std::string of,
                                                                  CommitOrder order) {
    if (world.b.committed.empty()) world.cut(true);
    return commit(std::move(of), std::move(order));
  };
  REQUIRE(world.reaches(State::uncertain));
  world.a.peer->port_answers = false;
  bool slow = true;
  world.a.journal.after_write = [&](State) -> boost::asio::awaitable<void> {
    if (std::exchange(slow, false)) co_await world.time.pause(Millis(5'000));
  };
  std::optional<Result<Operation>> answer;
  boost::asio::co_spawn(
      world.time.loop(),
      [](World& the_world, std::string of,
         std::optional<Result<Operation>>& out) -> boost::asio::awaitable<void> {
        out = co_await the_world.a.operations->abort(of, true);
      }(world, id, answer),
      [](std::exception_ptr) {});
  world.time.settle();
  REQUIRE_FALSE(slow);
  world.cut(false);
  REQUIRE(world.reaches(State::done, Millis(4'000)));
  REQUIRE_FALSE(answer);
  REQUIRE(world.time.runUntil([&] { return answer.has_value(); }, Millis(10'000)));
  REQUIRE_FALSE(answer->has_value());
  CHECK(answer->error().code == Code::refused);
  world.time.run(Millis(1'000));
  CHECK(world.operation().steps.back().state == State::done);
  CHECK(world.a.journal.kept.at(id).state == State::done);
  CHECK(world.a.journal.kept.at(id).steps.back().state == State::done);
  world.checkRunsAtBOnly();
}

TEST_CASE("an abort that cannot be written down says so, and ends the move all the same") {
  World world;
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.journal.failure = Error{Code::unreachable, "the disk is gone"};
  const auto asked = world.a.abort(id);
  REQUIRE_FALSE(asked);
  CHECK(asked.error().code == Code::unreachable);
  world.time.run(Millis(2'000));
  CHECK(world.a.libvirt.count("abortJob") == 1);
  world.a.journal.failure.reset();
  REQUIRE(world.ends());
  world.checkRunsAtAOnly();
}

TEST_CASE("an exception ends an operation in words, and its VM is busy no more") {
  World world;
  world.movesTake(Millis(1'000));
  bool thrown = false;
  world.a.journal.before_write = [&](const Operation& operation) {
    if (operation.state != State::verifying || std::exchange(thrown, true)) return;
    throw std::runtime_error("no more memory");
  };
  world.begin();
  REQUIRE(world.ends(Millis(60'000)));
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("no more memory"));
  CHECK_FALSE(world.operation().advice.empty());
  CHECK_FALSE(world.a.operations->busy(kVm));
  CHECK(world.a.journal.all().front().state == State::needs_person);
}

TEST_CASE("an exception within libvirt's call is its end") {
  World world;
  world.b.libvirt.onChange([](const Uuid&, const platform::FakeVm&, std::string_view,
                              std::string_view) { throw std::runtime_error("no more threads"); });
  world.begin();
  REQUIRE(world.reaches(State::settling, Millis(10'000)));
  CHECK_THAT(world.operation().steps.back().note, Catch::Contains("no more threads"));
}

TEST_CASE("a move whose hand-over is refused is remembered at the source") {
  World world;
  world.movesTake(Millis(1'000));
  world.a.peer->on_commit = [](std::string, CommitOrder) -> boost::asio::awaitable<Result<void>> {
    co_return fail(Code::refused, "unknown here");
  };
  SECTION("after it went well") {
    world.begin();
    REQUIRE(world.ends());
    REQUIRE(world.operation().state == State::done);
    REQUIRE(world.a.moves.size() == 1);
    CHECK(world.a.moves.front().outcome == MoveOutcome::done);
  }
  SECTION("after verification failed") {
    world.a.policy.return_trip = false;
    world.b.wellbeing.agent = false;
    world.begin();
    REQUIRE(world.ends());
    REQUIRE(world.operation().state == State::needs_person);
    REQUIRE(world.a.moves.size() == 1);
    CHECK(world.a.moves.front().outcome == MoveOutcome::failed);
  }
}

TEST_CASE("secrets are kept for no longer than they are needed, and told to nobody") {
  World world;
  world.movesTake(Millis(1'000));
  const auto id = world.begin().id;
  REQUIRE(world.reaches(State::verifying));
  CHECK_FALSE(world.a.journal.kept.at(id).record.definition.empty());
  CHECK(world.a.operations->all().front().record.definition.empty());
  CHECK(world.a.operations->find(id)->record.definition.empty());
  REQUIRE(world.ends());
  REQUIRE(world.operation().state == State::done);
  CHECK(world.a.journal.kept.at(id).record.definition.empty());
}

}  // namespace
}  // namespace virtseer::sim
