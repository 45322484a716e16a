#include "daemon/inventory.h"

#include <catch2/catch.hpp>

#include "store/store.h"

using namespace virtseer;
using daemon::Inventory;

namespace {

Vm vm(char id, std::string name, std::string environment = "qemu:///system") {
  Vm out;
  out.uuid.bytes[15] = static_cast<std::uint8_t>(id);
  out.name = std::move(name);
  out.environment = std::move(environment);
  out.state = VmState::running;
  return out;
}

}  // namespace

TEST_CASE("a VM is found by name and by UUID") {
  Inventory inventory;
  inventory.setVms("qemu:///system", {vm(1, "web"), vm(2, "db")});
  CHECK(inventory.find("db")->uuid == vm(2, "").uuid);
  CHECK(inventory.find(vm(1, "").uuid.text())->name == "web");
  CHECK(inventory.find("mail").error().code == Code::not_found);
}

TEST_CASE("two VMs of one name must be told apart by UUID") {
  Inventory inventory;
  inventory.setVms("qemu:///system", {vm(1, "web")});
  inventory.setVms("lxc:///system", {vm(2, "web", "lxc:///system")});
  const auto found = inventory.find("web");
  REQUIRE_FALSE(found);
  CHECK(found.error().code == Code::invalid);
  CHECK(found.error().message.find(vm(2, "").uuid.text()) != std::string::npos);
}

TEST_CASE("what one environment lists leaves the other's VMs alone") {
  Inventory inventory;
  inventory.setVms("qemu:///system", {vm(1, "web")});
  inventory.setVms("lxc:///system", {vm(2, "box", "lxc:///system")});
  inventory.setVms("lxc:///system", {});
  CHECK(inventory.present().size() == 1);
  CHECK(inventory.find("box")->state == VmState::gone);
}

TEST_CASE("a VM that is gone is remembered over a restart, even under a hostile name") {
  const auto store = store::memoryStore(10);
  const std::string hostile = "a\x1b[2J/../b";
  {
    Inventory inventory;
    inventory.remember(store->settings());
    inventory.setVms("qemu:///system", {vm(1, hostile)});
  }
  Inventory inventory;
  inventory.remember(store->settings());
  REQUIRE(inventory.gone().size() == 1);
  CHECK(inventory.find(hostile)->state == VmState::gone);
  CHECK(inventory.nameOf(vm(1, "").uuid) == hostile);
}

TEST_CASE("what was seen before a store served is remembered in it") {
  Inventory inventory;
  inventory.setVms("qemu:///system", {vm(1, "early")});
  const auto store = store::memoryStore(10);
  inventory.remember(store->settings());
  CHECK(store->settings().list("vm/").size() == 1);
}

TEST_CASE("the host is an entity by name and UUID") {
  Inventory inventory;
  Host host;
  host.uuid.bytes[0] = 9;
  host.name = "kvm-1";
  inventory.setHost(host);
  CHECK(inventory.entity("kvm-1") == host.uuid);
  CHECK(inventory.entity(host.uuid.text()) == host.uuid);
  CHECK(inventory.nameOf(host.uuid) == "kvm-1");
  CHECK_FALSE(inventory.entity("kvm-2"));
}
