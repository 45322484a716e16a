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

bool advises(const Operation& operation, std::string_view words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& each) { return each.find(words) != std::string::npos; });
}

/// It did not do well at b, is at a again, and b's daemon has begun to watch how it does there.
void comesBack(World& world) {
  world.none_may_run_for = Millis(3'600'000);
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  world.begin();
  REQUIRE(world.reaches(State::returning));
  const auto watched = [&] {
    const auto back = world.b.operations->all();
    return !back.empty() && back.front().state == State::verifying;
  };
  REQUIRE(world.time.runUntil(watched, Millis(60'000)));
  REQUIRE(world.a.libvirt.runs(kVm));
}

TEST_CASE("a VM that came back and is shut down there has come back") {
  World world(true);
  comesBack(world);
  SECTION("at once") {}
  SECTION("some time later") {
    world.time.run(Millis(20'000));
  }
  REQUIRE(world.operation().state == State::returning);
  world.a.libvirt.vm(kVm).presence = {
      .state = Presence::State::off, .defined = true, .reason = "off: shutdown"};
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::returned);
  CHECK_THAT(world.operation().message, Catch::Contains("web is off at a, where it came back to"));
  CHECK(world.operation().advice.empty());
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  CHECK(world.a.libvirt.count("start ") == 0);
  CHECK(world.b.libvirt.find(kVm) == nullptr);
  CHECK(world.b.operations->all().front().state == State::done);
}

TEST_CASE("a VM that came back and stands still there is left to a person, at its host") {
  World world(true);
  comesBack(world);
  world.a.libvirt.vm(kVm).presence = {
      .state = Presence::State::paused, .defined = true, .reason = "paused: I/O error"};
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message,
             Catch::Contains("web is paused at a, where it came back to"));
  CHECK(advises(world.operation(), "find out why it stands still at a"));
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  CHECK(world.a.libvirt.count("resume") == 0);
  CHECK(world.b.operations->all().front().state == State::needs_person);
}

TEST_CASE("a VM that came back and dies there again and again is left to a person, at its host") {
  World world(true);
  comesBack(world);
  world.a.libvirt.crash(kVm);
  REQUIRE(world.time.runUntil([&] { return world.a.libvirt.runs(kVm); }, Millis(60'000)));
  world.a.libvirt.crash(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("web is off at a, where it came back to"));
  CHECK(advises(world.operation(), "find out why it died at a"));
  CHECK(world.a.libvirt.vm(kVm).definition.autostart);
  CHECK(world.a.libvirt.count("start ") == 1);
}

TEST_CASE("what is left of a VM that came back and was moved on by hand does not start again") {
  World world(true);
  comesBack(world);
  world.a.libvirt.vm(kVm).presence = {
      .state = Presence::State::off, .defined = true, .reason = "off: migrated"};
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("it came back to a, where it is off"));
  CHECK(advises(world.operation(), "look at both hosts before anything is started"));
  world.time.run(Millis(60'000));
  CHECK_FALSE(world.a.libvirt.vm(kVm).definition.autostart);
}

TEST_CASE("a copy that never ran at home, and is the only one, is left to a person") {
  World world(true);
  world.none_may_run_for = Millis(3'600'000);
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  SECTION("as the other daemon says") {}
  SECTION("and what the other daemon says of it is not known") {
    loseAnswers(world);
  }
  world.begin();
  REQUIRE(world.reaches(State::returning));
  world.time.onStep([&](Millis) {
    if (world.a.libvirt.runs(kVm) && !world.b.libvirt.find(kVm))
      world.a.libvirt.vm(kVm).presence = {
          .state = Presence::State::paused, .defined = true, .reason = "paused: I/O error"};
  });
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("it is paused at a, where it may have"));
  CHECK(advises(world.operation(), "look at both hosts before anything is started"));
  CHECK_FALSE(world.a.libvirt.vm(kVm).definition.autostart);
  CHECK(world.a.libvirt.count("resume") == 0);
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
