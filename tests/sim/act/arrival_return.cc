#include "sim/act/world.h"

/// The way back with the real daemons' halves at both hosts, until both of its operations are over.
namespace virtseer::sim {
namespace {

/// Both halves of the move and of the way back.
bool allOver(const Side& side) {
  const auto over = [](const auto& half) {
    return std::ranges::all_of(half.all(), [](const auto& each) { return ended(each.state); });
  };
  return over(*side.operations) && over(*side.arrivals);
}

/// The answer to the question for it is lost, as often as it is asked: the move ends before the way
/// back does.
void loseAnswers(World& world) {
  world.a.peer->on_send_back = [ask = world.a.peer->on_send_back](
                                   std::string id) -> boost::asio::awaitable<Result<Operation>> {
    std::ignore = co_await ask(std::move(id));
    co_return fail(Code::timeout, "no answer in time");
  };
}

TEST_CASE("a VM that came back starts with its host, also once the way back is complete") {
  World world(true);
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  SECTION("which the source of the move waits for") {}
  SECTION("which the source of the move does not know of") {
    loseAnswers(world);
  }
  world.begin();
  REQUIRE(world.ends());
  REQUIRE(world.operation().state == State::returned);
  REQUIRE(world.a.libvirt.vm(kVm).definition.autostart);

  REQUIRE(
      world.time.runUntil([&] { return allOver(world.a) && allOver(world.b); }, Millis(600'000)));

  REQUIRE(world.b.operations->all().size() == 1);
  CHECK(world.b.operations->all().front().state == State::done);
  REQUIRE(world.a.arrivals->all().size() == 1);
  CHECK(world.a.arrivals->all().front().state == State::done);
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  world.checkRunsAtAOnly();
}

TEST_CASE("a person's word on autostart after the way back is not undone") {
  World world(true);
  loseAnswers(world);
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  world.begin();
  REQUIRE(world.ends());
  world.a.libvirt.vm(kVm).definition.autostart = false;
  REQUIRE(
      world.time.runUntil([&] { return allOver(world.a) && allOver(world.b); }, Millis(600'000)));
  CHECK_FALSE(world.a.libvirt.vm(kVm).definition.autostart);
}

TEST_CASE(
    "what virtseer moves by itself on shared disks goes and comes back if policy waives locks") {
  World world(true);
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  world.a.libvirt.vm(kVm).placed.disks = {{"nfs", 1 << 30}};
  world.a.policy.unlocked_disks = world.b.policy.unlocked_disks = true;
  SECTION("at both hosts") {
    world.begin(order(kVm, "b", OperationOrigin::plan));
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::returned);
    world.checkRunsAtAOnly();
  }
  SECTION("at the source alone of the way there") {
    world.b.policy.unlocked_disks = false;
    world.begin(order(kVm, "b", OperationOrigin::plan));
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::needs_person);
    world.checkRunsAtBOnly();
  }
}

TEST_CASE("a host that loses power after it took a VM over starts it again") {
  World world(true);
  world.none_may_run_for = Millis(60'000);
  world.movesTake(Millis(2'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.time.run(Millis(5'000));
  world.b.kill();
  world.a.peer->silent = true;
  world.b.libvirt.vm(kVm).presence = {
      .state = Presence::State::off, .defined = true, .reason = "unknown", .unexplained = true};
  world.time.run(Millis(20'000));
  world.b.start();
  world.a.peer->silent = false;
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  world.checkRunsAtBOnly();
}

}  // namespace
}  // namespace virtseer::sim
