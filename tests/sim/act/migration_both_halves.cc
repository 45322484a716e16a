#include "sim/act/world.h"

/// Stories with the real daemons' halves at both hosts.
namespace virtseer::sim {
namespace {

using Where = Presence::State;

/// Ends with the VM at one host, and what the operation says is true.
void checkTruth(World& world) {
  const auto operation = world.operation();
  INFO(name(operation.state) << ": " << operation.message);
  const bool here = world.a.libvirt.runs(kVm);
  const bool there = world.b.libvirt.runs(kVm);
  CHECK(here != there);
  if (operation.state == State::done) {
    CHECK(there);
    CHECK(world.a.libvirt.find(kVm) == nullptr);
    CHECK(world.b.libvirt.vm(kVm).definition.autostart);
    CHECK(world.b.tokens.of(kVm) == "secret");
    CHECK(world.a.tokens.of(kVm).empty());
  } else {
    CHECK(here);
    CHECK(world.b.libvirt.find(kVm) == nullptr);
    CHECK(world.a.libvirt.vm(kVm).definition.autostart);
    CHECK(world.a.tokens.of(kVm) == "secret");
  }
  // Nothing is left open at the destination.
  CHECK(world.time.runUntil(
      [&] {
        for (const auto& arrival : world.b.arrivals->all())
          if (!ended(arrival.state)) return false;
        return true;
      },
      Millis(120'000)));
  CHECK(world.b.arrivals->reservations().empty());
}

TEST_CASE("both halves: a VM moves and is committed") {
  World world(true);
  world.movesTake(Millis(3'000));
  const auto id = world.begin().id;
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  checkTruth(world);
  REQUIRE(world.b.arrivals->find(id));
  CHECK(world.b.arrivals->find(id)->state == State::done);
  CHECK(world.b.moves.size() == 1);
}

TEST_CASE("both halves: a VM that does not do well comes back") {
  World world(true);
  world.movesTake(Millis(2'000));
  world.b.wellbeing.cpu_delay_cores = 3.0;
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::returned);
  checkTruth(world);
}

TEST_CASE("both halves: a token that was left at a host once does not come back with the VM") {
  World world(true);
  world.movesTake(Millis(2'000));
  world.b.tokens.tokens[kVm] = "stale";
  world.b.wellbeing.cpu_delay_cores = 3.0;
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::returned);
  checkTruth(world);
}

TEST_CASE("both halves: a token that the destination has from an earlier stay is replaced") {
  World world(true);
  world.movesTake(Millis(2'000));
  world.b.tokens.tokens[kVm] = "stale";
  world.begin();
  REQUIRE(world.ends());
  checkTruth(world);
}

TEST_CASE("both halves: a token that cannot follow undoes nothing, stays, and is told") {
  World world(true);
  world.movesTake(Millis(2'000));
  auto& failure = GENERATE(0, 1) == 0 ? world.a.tokens.read_fails : world.b.tokens.keep_fails;
  std::string how = "did not follow it";
  SECTION("for good") {
    failure = Error{Code::failed, "the disk is broken"};
  }
  SECTION("as long as it is asked for") {
    failure = Error{Code::timeout, "no answer in time"};
    how = "may not have followed it";
  }
  world.begin();
  REQUIRE(world.ends());
  const auto operation = world.operation();
  CHECK(operation.state == State::done);
  REQUIRE(operation.advice.size() == 1);
  CHECK(operation.advice[0] ==
        "its agent calls by a token that " + how + " (" + failure->message + "): enroll it at b");
  CHECK(world.a.count("vm.token_left") == 1);
  CHECK(world.a.tokens.of(kVm) == "secret");
  CHECK(world.b.tokens.of(kVm).empty());
}

TEST_CASE("both halves: a token whose answer is lost is sent again") {
  World world(true);
  world.movesTake(Millis(2'000));
  int asked = 0;
  world.a.peer->on_token = [&, take = world.a.peer->on_token](
                               std::string id,
                               std::string token) -> boost::asio::awaitable<Result<void>> {
    auto answer = co_await take(std::move(id), std::move(token));
    if (++asked < 3) co_return fail(Code::timeout, "no answer in time");
    co_return answer;
  };
  world.begin();
  REQUIRE(world.ends());
  CHECK(asked == 3);
  CHECK(world.operation().advice.empty());
  checkTruth(world);
}

TEST_CASE("both halves: a token that is at its new host and cannot be deleted is told") {
  World world(true);
  world.movesTake(Millis(2'000));
  world.a.tokens.drop_fails = Error{Code::failed, "read-only file system"};
  world.begin();
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  REQUIRE(world.operation().advice.size() == 1);
  CHECK(world.operation().advice[0] ==
        "delete the token of its agent at a, where it would still be taken: read-only file system");
  CHECK(world.a.count("vm.token_left") == 1);
  CHECK(world.b.tokens.of(kVm) == "secret");
}

TEST_CASE("both halves: a crowded host takes what leaves a host in maintenance, and keeps it") {
  World world(true);
  world.movesTake(Millis(2'000));
  world.b.used_cpus = 16;
  world.b.wellbeing.cpu_delay_cores = 3.0;
  auto order = sim::order(kVm, "b", OperationOrigin::plan);
  order.cpus = 1;

  SECTION("what comes for another reason is refused") {
    world.begin(order);
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::refused);
    CHECK_THAT(world.operation().message, Catch::Contains("0.00 cores of"));
  }
  SECTION("it is taken, watched, and not brought back") {
    order.may_share = true;
    world.begin(order);
    REQUIRE(world.reaches(State::verifying));
    world.b.kill();
    world.b.start();
    REQUIRE(world.ends());
    CHECK(world.operation().state == State::done);
    checkTruth(world);
  }
}

TEST_CASE("both halves: the last word is lost, the source runs again, the destination gives way") {
  World world(true);
  world.both_may_run = true;  // until the destination's daemon has suspended its copy
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.cut(true);
  world.a.peer->port_answers = world.b.peer->port_answers = false;
  world.a.libvirt.switchOver(kVm);
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the connection was closed"));
  world.a.libvirt.vm(kVm).presence.state = Where::running;
  world.time.run(Millis(15'000));
  CHECK_FALSE(world.b.libvirt.runs(kVm));
  CHECK(world.b.arrivals->suspended(kVm));
  world.both_may_run = false;
  world.time.run(Millis(120'000));
  CHECK(world.operation().state == State::uncertain);
  world.cut(false);
  world.a.peer->port_answers = world.b.peer->port_answers = true;
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  checkTruth(world);
}

TEST_CASE(
    "both halves: the last word is lost and the source stays paused: the destination goes on") {
  World world(true);
  world.none_may_run_for = Millis(300'000);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.cut(true);
  world.a.peer->port_answers = world.b.peer->port_answers = false;
  world.a.libvirt.switchOver(kVm);
  world.a.libvirt.endJobs(kVm);
  world.a.libvirt.endCall(kVm, fail(Code::failed, "the connection was closed"));
  world.time.run(Millis(60'000));
  CHECK(world.b.arrivals->suspended(kVm));
  world.cut(false);
  world.a.peer->port_answers = world.b.peer->port_answers = true;
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  checkTruth(world);
}

TEST_CASE("both halves: the destination's emulator is killed and revived") {
  World world(true);
  world.movesTake(Millis(2'000));
  world.begin();
  REQUIRE(world.reaches(State::verifying));
  world.time.run(Millis(5'000));
  world.b.libvirt.crash(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::done);
  checkTruth(world);
}

TEST_CASE("both halves: the source's emulator is killed before switch-over") {
  World world(true);
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.run(Millis(1'000));
  world.a.libvirt.crash(kVm);
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  checkTruth(world);
}

TEST_CASE("both halves: either daemon, or both, are killed at any time of a move") {
  for (Millis at(0); at < Millis(75'000); at += at < Millis(6'000) ? Millis(500) : Millis(11'000))
    for (const int who : {1, 2, 3})
      for (const auto away : {Millis(1'000), Millis(20'000)}) {
        World world(true);
        world.movesTake(Millis(3'000));
        world.begin();
        world.time.run(at);
        INFO("daemons " << who << " killed after " << at.count() << " ms for " << away.count()
                        << " ms");
        // A daemon that is dead does not answer the other one.
        if (who & 1) world.a.kill(), world.b.peer->silent = true;
        if (who & 2) world.b.kill(), world.a.peer->silent = true;
        world.time.run(away);
        if (who & 1) world.a.start(), world.b.peer->silent = false;
        if (who & 2) world.b.start(), world.a.peer->silent = false;
        REQUIRE(world.ends());
        checkTruth(world);
      }
}

TEST_CASE("both halves: the daemons do not hear each other at any time of a move") {
  for (Millis at(0); at < Millis(75'000); at += at < Millis(6'000) ? Millis(500) : Millis(11'000))
    for (const bool port : {true, false}) {
      World world(true);
      world.none_may_run_for = Millis(60'000);  // suspended while nobody answers
      world.movesTake(Millis(3'000));
      world.begin();
      world.time.run(at);
      INFO("silent after " << at.count() << " ms, port " << port);
      world.cut(true);
      world.a.peer->port_answers = world.b.peer->port_answers = port;
      world.time.run(Millis(40'000));
      world.cut(false);
      world.a.peer->port_answers = world.b.peer->port_answers = true;
      REQUIRE(world.ends());
      checkTruth(world);
    }
}

}  // namespace
}  // namespace virtseer::sim
