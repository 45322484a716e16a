#include "contract/environment/pools.h"
#include "contract/environment/worlds.h"

// Which disks a move copies, on libvirt's test driver: no word of it may lead to another file.

using namespace virtseer;
using namespace virtseer::platform;
using namespace virtseer::platform::contract;

TEST_CASE("what a copying move copies are the VM's own writable disks here, and no word beside") {
  const auto world = makeWorld("libvirt-test");
  world->connect();
  const Folder folder;
  const auto a = folder.file("a & b.raw"), other = folder.file("other.qcow2");
  const TestVm vm(
      "<metadata><m xmlns='http://example.org/1'><devices>" + diskXml("vda", other) +
          "</devices></m></metadata>",
      diskXml("vdb", folder.path() + "/a &amp; b.raw",
              "<backingStore type='file'><format type='raw'/><source file='/base.img'/>"
              "<backingStore/></backingStore>") +
          diskXml("vdc", folder.path() + "/ro.raw", "<readonly/>") +
          diskXml("vdd", folder.path() + "/both.raw", "<shareable/>") +
          "<disk type='file' device='cdrom'><source file='/iso/a.iso'/><target dev='hdc' "
          "bus='ide'/></disk>"
          "<disk type='network' device='disk'><source protocol='rbd' name='pool/c'><host "
          "name='mon'/></source><target dev='vde' bus='virtio'/></disk>"
          "<disk type='block' device='disk'><source dev='/dev/nonexistent/b'/><target dev='vda' "
          "bus='virtio'/></disk>");

  const auto found = world->await(world->environment().actions().definition(TestVm::uuid()));
  REQUIRE(found);
  const auto& disks = found->local_disks;
  REQUIRE(disks.size() == 2);
  CHECK(disks[0].target == "vda");
  CHECK(disks[0].path.empty());
  CHECK(disks[0].bytes > 0);  // libvirt tells it
  CHECK(disks[1].target == "vdb");
  CHECK(disks[1].path == a);
  CHECK(disks[1].bytes > 0);
  world->stop();
}

TEST_CASE("a VM that is off has nothing that a move copies") {
  const auto world = makeWorld("libvirt-test");
  world->connect();
  const Folder folder;
  const TestVm vm("", diskXml("vda", folder.file("a.raw")), false);
  const auto found = world->await(world->environment().actions().definition(TestVm::uuid()));
  REQUIRE(found);
  CHECK(found->local_disks.empty());
  world->stop();
}
