#include <catch2/catch.hpp>

#include "sim/act/arrival_world.h"
#include "sim/act/world.h"

/// What a copying move made at its destination goes with it, and nothing else does.
namespace virtseer::sim {
namespace {

using Where = Presence::State;
using Call = FakeActions::Call;
using Files = std::set<std::string>;

const std::string kDisk = "/pool/web.qcow2";

/// A move that copies disks is on its way here.
struct CopyWorld : ArrivalWorld {
  CopyWorld() {
    here.setCopies({kDisk});
    here.files() = {"/pool/other.qcow2"};
    REQUIRE(reserve(copying())->reservation);
  }
  static ReserveOrder copying(std::string operation = "m-1", Uuid vm = ArrivalWorld::kVm) {
    auto out = order(std::move(operation), vm);
    out.copy_storage = true;
    return out;
  }
  void isMade() {
    comes();
    here.files().insert(kDisk);
  }
  /// libvirt here takes its copy away; the disk it leaves.
  void breaksOff(Where source = Where::running) {
    here.remove(ArrivalWorld::kVm);
    sourceIs(source);
    lifecycle();
  }
  bool left() { return here.files().contains(kDisk); }
  bool advised() const {
    const auto advice = operation().advice;
    return std::ranges::any_of(advice, [](const auto& line) { return line.contains(kDisk); });
  }
  void staysForAPerson() {
    CHECK(left());
    CHECK(here.count("deleteVolume") == 0);
    CHECK(ended(operation().state));
    CHECK(advised());
  }
};

}  // namespace

TEST_CASE("copies: what a move left that its source gave up is deleted, once that is certain") {
  CopyWorld world;
  CHECK(world.operation().record.copied_disks == std::vector<std::string>{kDisk});
  world.isMade();
  world.breaksOff();

  REQUIRE(world.release());

  CHECK(world.here.files() == Files{"/pool/other.qcow2"});
  CHECK(world.operation().state == OperationState::failed);
  CHECK(world.operation().advice.empty());
  auto again = world.reserve(CopyWorld::copying("m-2"));
  REQUIRE(again);
  CHECK(again->reservation);
}

TEST_CASE("copies: a source that never says so is asked where the VM runs") {
  CopyWorld world;
  world.isMade();
  world.breaksOff();
  world.time.run(Millis(1'000));
  CHECK(world.left());
  world.time.run(Millis(3'000));
  CHECK_FALSE(world.left());
  CHECK(world.operation().state == OperationState::failed);
  CHECK(world.operation().advice.empty());
}

TEST_CASE("copies: a file that was here before is no move's") {
  ArrivalWorld world;
  world.here.setCopies({kDisk});
  world.here.files() = {kDisk};
  const auto answer = world.reserve(CopyWorld::copying());
  REQUIRE(answer);
  CHECK_FALSE(answer->reservation);

  auto shared = ArrivalWorld::order();
  REQUIRE(world.reserve(shared)->reservation);
  CHECK(world.operation().record.copied_disks.empty());
  world.comes();
  world.here.remove(ArrivalWorld::kVm);
  world.sourceIs(Where::running);
  REQUIRE(world.release());
  CHECK(world.here.files() == Files{kDisk});
}

TEST_CASE("copies: where nothing was seen to come a file is somebody else's") {
  CopyWorld world;
  world.here.files().insert(kDisk);
  REQUIRE(world.release());
  CHECK(world.left());
  CHECK(world.here.count("deleteVolume") == 0);
  CHECK(world.operation().advice.empty());
}

TEST_CASE("copies: the disks of a VM that ran here are left to a person") {
  CopyWorld world;
  world.isMade();
  world.switchesOver();
  SECTION("and broke off") {
    world.breaksOff();
    REQUIRE(world.release());
  }
  SECTION("and was ended, since the source runs it") {
    world.sourceIs(Where::running);
    world.time.run(Millis(5'000));
    CHECK(world.here.count("destroy") == 1);
  }
  world.staysForAPerson();
}

TEST_CASE("copies: without the source's word that it runs there nothing is deleted") {
  CopyWorld world;
  world.isMade();
  SECTION("silent") {
    world.sourceFallsSilent();
    world.breaksOff();
  }
  SECTION("off") {
    world.breaksOff(Where::off);
  }
  SECTION("paused") {
    world.breaksOff(Where::paused);
  }
  SECTION("absent") {
    world.breaksOff(Where::absent);
  }
  SECTION("on its way again") {
    world.here.remove(ArrivalWorld::kVm);
    world.sourceIs(Where::running, Presence::Job::migration_out);
  }
  REQUIRE(world.release());
  world.staysForAPerson();
}

TEST_CASE("copies: a definition that is here, or a VM that uses the file, keeps it") {
  CopyWorld world;
  world.isMade();
  SECTION("defined") {
    world.here.vm(ArrivalWorld::kVm).presence = {
        .state = Where::off, .defined = true, .reason = "shut off"};
    world.sourceIs(Where::running);
    REQUIRE(world.release());
    world.staysForAPerson();
  }
  SECTION("used") {
    world.breaksOff();
    world.here.failNext(Call::delete_volume, {Code::refused, "VM db uses it"});
    REQUIRE(world.release());
    CHECK(world.left());
    CHECK(world.advised());
  }
  SECTION("wanted by another arrival") {
    world.here.files().erase(kDisk);
    REQUIRE(world.reserve(CopyWorld::copying("m-2", ArrivalWorld::uuid(2)))->reservation);
    world.here.files().insert(kDisk);
    world.breaksOff();
    REQUIRE(world.release());
    world.staysForAPerson();
  }
}

TEST_CASE("copies: a VM that is handed over keeps its disks") {
  CopyWorld world;
  world.isMade();
  world.switchesOver();
  world.sourceIs(Where::off);
  REQUIRE(world.commit());
  REQUIRE(world.release());
  world.time.run(Millis(10'000));
  CHECK(world.left());
  CHECK(world.here.count("deleteVolume") == 0);
}

TEST_CASE("copies: libvirt that falls silent in between is asked again") {
  CopyWorld world;
  world.isMade();
  world.breaksOff();
  world.here.failNext(Call::delete_volume, {Code::timeout, "libvirt does not answer"});
  CHECK_FALSE(world.release());
  CHECK_FALSE(ended(world.operation().state));
  world.time.run(Millis(5'000));
  CHECK_FALSE(world.left());
  CHECK(world.operation().state == OperationState::failed);
}

TEST_CASE("copies: a file that cannot be deleted is left to a person, and holds nobody up") {
  CopyWorld world;
  world.isMade();
  world.breaksOff();
  SECTION("libvirt fails") {
    world.here.failNext(Call::delete_volume, {Code::failed, "Read-only file system"});
  }
  SECTION("libvirt does not answer") {
    world.here.failNext(Call::delete_volume, {Code::timeout, "no answer in time"}, 1'000);
  }
  world.time.run(Millis(30'000));
  CHECK(world.left());
  CHECK(world.operation().state == OperationState::needs_person);
  CHECK(world.advised());
  CHECK_FALSE(world.arrivals->expects(ArrivalWorld::kVm));
}

TEST_CASE("copies: what happened while nobody looked is not guessed") {
  CopyWorld world;
  world.isMade();
  SECTION("the daemon was away") {
    world.killDaemon();
    world.here.remove(ArrivalWorld::kVm);
    world.sourceIs(Where::running);
    world.startDaemon();
  }
  SECTION("libvirt was away") {
    world.here.disconnect("libvirtd is away");
    world.time.run(Millis(1'000));
    world.here.remove(ArrivalWorld::kVm);
    world.sourceIs(Where::running);
    world.here.reconnect();
  }
  world.time.run(Millis(5'000));
  world.staysForAPerson();
}

TEST_CASE("copies: a daemon that comes back while the VM comes still knows what is made") {
  CopyWorld world;
  world.isMade();
  world.restartDaemon();
  world.time.run(Millis(1'000));
  world.breaksOff();
  world.time.run(Millis(5'000));
  CHECK_FALSE(world.left());
  CHECK(world.operation().advice.empty());
}

TEST_CASE("both halves: a copying move that was aborted can be tried again") {
  World world(true);
  auto& vm = world.a.libvirt.vm(kVm);
  vm.placed.disks = {{"dir", 1 << 20}};
  vm.definition.local_disks = {{"vda", kDisk, 1 << 20}};
  world.a.libvirt.files() = {kDisk};
  world.b.libvirt.setCopies({kDisk});
  auto copying = order(kVm, "b");
  copying.copy_storage = true;

  const auto first = world.begin(copying).id;
  REQUIRE(world.reaches(State::migrating));
  world.time.run(Millis(1'000));
  CHECK(world.b.libvirt.files() == Files{kDisk});
  REQUIRE(world.a.abort(first));
  REQUIRE(world.ends());
  CHECK(world.a.operations->find(first)->state == State::aborted);
  world.time.run(Millis(5'000));
  CHECK(world.b.libvirt.files().empty());
  CHECK(world.a.libvirt.files() == Files{kDisk});

  world.movesTake(Millis(1'000));
  const auto second = world.a.migrate(copying);
  REQUIRE(second);
  CHECK(world.time.runUntil(
      [&] { return world.a.operations->find(second->id)->state == State::done; }, Millis(200'000)));
  CHECK(world.b.libvirt.files() == Files{kDisk});
  CHECK(world.a.libvirt.files().empty());
}

}  // namespace virtseer::sim
