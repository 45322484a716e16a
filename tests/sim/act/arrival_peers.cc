#include <catch2/catch.hpp>

#include "sim/act/arrival_world.h"
#include "sim/act/world.h"

// Who is asked where the VM runs, and whose answer counts.

namespace virtseer::sim {
namespace {

using Where = Presence::State;

/// Its host calls itself otherwise than the configuration here calls it.
ReserveOrder underItsOwnName() {
  auto out = ArrivalWorld::order();
  out.from_name = "a.example.org";
  return out;
}

}  // namespace

TEST_CASE("a peer that was not heard since a restart is known by its name of before") {
  ArrivalWorld world;
  REQUIRE(world.reserve(underItsOwnName())->reservation);
  CHECK(world.operation().record.source_peer == "a");
  world.comes();
  world.switchesOver();
  world.killDaemon();
  world.source->setHost(std::nullopt);
  world.source->silent = true;
  world.startDaemon();

  SECTION("its port answers: nothing is suspended") {
    world.time.run(Millis(120'000));
    CHECK(world.runs());
    CHECK(world.here.count("suspend") == 0);
    CHECK(world.operation().message.find("something there answers") != std::string::npos);
  }
  SECTION("its daemon answers: it is believed") {
    world.sourceIsBack();
    world.sourceIs(Where::off);
    world.time.run(Millis(1'000));
    CHECK(world.operation().confirmed);
  }
  SECTION("nothing there answers: it is suspended in time") {
    world.source->port_answers = false;
    world.time.run(Millis(11'000));
    CHECK(world.stateHere() == Where::paused);
  }
}

TEST_CASE("a source that is no peer any more cannot be asked, which is not its silence") {
  ArrivalWorld world;
  world.arrives();
  world.killDaemon();
  world.peers = {};
  world.startDaemon();
  world.time.run(Millis(120'000));
  CHECK(world.runs());
  CHECK(world.here.count("suspend") == 0);
  CHECK(world.operation().state == State::uncertain);
  CHECK(world.operation().message.find("cannot be asked") != std::string::npos);
}

TEST_CASE("another machine at the source's address says nothing about its VMs") {
  ArrivalWorld world;
  world.source->setHost(std::nullopt);
  world.answers_as = ArrivalWorld::uuid(99);
  world.arrives();

  SECTION("that it has none proves nothing") {
    world.sourceIs(Where::absent);
    world.time.run(Millis(60'000));
    CHECK(world.runs());
    CHECK_FALSE(world.operation().confirmed);
    CHECK(world.operation().state == State::uncertain);
  }
  SECTION("that it runs one ends nothing") {
    world.sourceIs(Where::running);
    world.time.run(Millis(60'000));
    CHECK(world.runs());
    CHECK(world.here.count("destroy") == 0);
  }
  SECTION("its daemon alone is not the source's host") {
    world.source->port_answers = false;
    world.time.run(Millis(11'000));
    CHECK(world.stateHere() == Where::paused);
  }
}

TEST_CASE("another machine at the destination's address proves nothing to the source") {
  World world;
  world.begin();
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  world.a.kill();
  world.a.peer->setHost(std::nullopt);
  world.a.peer->on_vm = [](Uuid) -> boost::asio::awaitable<Result<RemoteVm>> {
    co_return RemoteVm{{.reason = ""}, {}, kVm2};
  };
  world.a.libvirt.crash(kVm);
  world.none_may_run_for = Millis(3'600'000);
  world.a.start();
  world.time.run(Millis(120'000));
  CHECK(world.operation().state == State::uncertain);
  CHECK(world.a.libvirt.count("start ") == 0);
}

}  // namespace virtseer::sim
