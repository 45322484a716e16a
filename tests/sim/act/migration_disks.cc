#include <catch2/catch.hpp>

#include "sim/act/world.h"

/// Both hosts and libvirt go by one list of the disks that a move copies.
namespace virtseer::sim {
namespace {

namespace asio = boost::asio;

using Files = std::set<std::string>;

const std::string kDisk = "/pool/web.qcow2";
const std::vector<DiskCopy> kDisks{{"vda", kDisk, 5 << 20}, {"vdb", "", 1 << 20}};

struct CopyingWorld : World {
  CopyingWorld() {
    auto& vm = a.libvirt.vm(kVm);
    vm.placed.disks = {{"dir", 6 << 20}, {"nfs", 1 << 20}};
    vm.definition.local_disks = kDisks;
    // Any tool may write anything there.
    vm.definition.live = "<domain><name>web</name><uuid>" + kVm.text() +
                         "</uuid><metadata><m xmlns='http://example.org/1'><disk type='file' "
                         "device='disk'><source file='/pool/other.qcow2'/></disk></m></metadata>"
                         "</domain>";
    a.libvirt.files() = {kDisk, "/pool/other.qcow2"};
    movesTake(Millis(1'000));
  }
  static act::MigrationOrder copying() {
    auto out = order(kVm, "b");
    out.copy_storage = true;
    return out;
  }
};

}  // namespace

TEST_CASE("disks: what is copied is what the destination was asked about, and what is set aside") {
  CopyingWorld world;
  std::vector<DiskCopy> asked;
  world.a.peer->on_reserve = [&asked, ask = world.a.peer->on_reserve](ReserveOrder order) {
    asked = order.copied;
    return ask(std::move(order));
  };
  const auto id = world.begin(CopyingWorld::copying()).id;
  REQUIRE(world.reaches(State::migrating));
  world.time.settle();
  CHECK(asked == kDisks);
  CHECK(world.a.libvirt.order(kVm).copied == kDisks);

  REQUIRE(world.reaches(State::verifying));
  CHECK(world.a.libvirt.files() == Files{kDisk + ".moved-" + id, "/pool/other.qcow2"});
  REQUIRE(world.ends());
  CHECK(world.a.libvirt.files() == Files{"/pool/other.qcow2"});
}

TEST_CASE("disks: a dry run asks about them too") {
  CopyingWorld world;
  std::vector<DiskCopy> asked;
  world.a.peer->on_reserve = [&asked, ask = world.a.peer->on_reserve](ReserveOrder order) {
    asked = order.copied;
    return ask(std::move(order));
  };
  std::optional<bool> fits;
  asio::co_spawn(world.time.loop(), world.a.operations->preview(CopyingWorld::copying()),
                 [&](std::exception_ptr, Result<act::MigrationPreview> told) {
                   fits = told && told->copy_storage;
                 });
  REQUIRE(world.time.runUntil([&] { return fits.has_value(); }, Millis(10'000)));
  CHECK(*fits);
  CHECK(asked == kDisks);
}

TEST_CASE("disks: a VM whose disks changed after they were checked is not moved") {
  CopyingWorld world;
  world.a.peer->on_reserve = [&world, ask = world.a.peer->on_reserve](ReserveOrder order) {
    world.a.libvirt.vm(kVm).definition.local_disks = {{"vdb", "", 1 << 20}};
    return ask(std::move(order));
  };
  world.begin(CopyingWorld::copying());
  REQUIRE(world.ends());
  CHECK(world.operation().state == State::failed);
  CHECK_THAT(world.operation().message, Catch::Contains("disks have changed"));
  CHECK(world.a.libvirt.files() == Files{kDisk, "/pool/other.qcow2"});
  world.checkRunsAtAOnly();
}

}  // namespace virtseer::sim
