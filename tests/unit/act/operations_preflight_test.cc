#include <algorithm>
#include <catch2/catch.hpp>

#include "act/preflight.h"

namespace virtseer::act {
namespace {

const Uuid kVm = *Uuid::parse("00000000-0000-0000-0000-000000000001");
const Uuid kSelf = *Uuid::parse("00000000-0000-0000-0000-00000000000a");
const Uuid kOther = *Uuid::parse("00000000-0000-0000-0000-00000000000b");

DepartureFacts movable() {
  DepartureFacts facts;
  facts.self = kSelf;
  facts.to = kOther;
  facts.to_name = "b";
  facts.presence = {.state = Presence::State::running, .defined = true, .reason = ""};
  facts.definition.inactive = facts.definition.live = "<domain/>";
  facts.placed.emplace();
  facts.placed->uuid = kVm;
  facts.storage = {{.id = "nfs", .shared = true}, {.id = "dir", .shared = false}};
  return facts;
}

bool held(const Departure& departure, const std::string& name) {
  const auto found = std::ranges::find(departure.checks, name, &Check::name);
  REQUIRE(found != departure.checks.end());
  CHECK_FALSE(found->words.empty());
  return found->held;
}

TEST_CASE("a running VM that nothing binds may leave") {
  const auto departure = preflight(movable());
  CHECK(allHeld(departure.checks));
  CHECK_FALSE(departure.copy_storage);
  CHECK(faults(departure.checks).empty());
}

TEST_CASE("the destination must be another host whose daemon was heard") {
  auto facts = movable();
  facts.to = kSelf;
  CHECK_FALSE(held(preflight(facts), "destination"));
  facts.to.reset();
  CHECK_FALSE(held(preflight(facts), "destination"));
}

TEST_CASE("only a VM that runs, and is no shadow, leaves") {
  auto facts = movable();
  for (const auto state : {Presence::State::absent, Presence::State::off, Presence::State::paused,
                           Presence::State::incoming}) {
    facts.presence.state = state;
    CHECK_FALSE(held(preflight(facts), "state"));
  }
  facts = movable();
  facts.placed->role = Role::shadow;
  CHECK_FALSE(held(preflight(facts), "state"));
}

TEST_CASE("a job, a device of the host and a libvirt that does not list it hold it") {
  auto facts = movable();
  facts.presence.job = Presence::Job::other;
  CHECK_FALSE(held(preflight(facts), "job"));
  facts = movable();
  facts.placed->job = "backup";
  CHECK_FALSE(held(preflight(facts), "job"));
  facts = movable();
  facts.placed->unmovable = {"host device 0000:01:00.0"};
  CHECK_FALSE(held(preflight(facts), "devices"));
  facts = movable();
  facts.placed.reset();
  CHECK_FALSE(held(preflight(facts), "devices"));
}

TEST_CASE("policy binds a plan more than a person") {
  auto facts = movable();
  facts.policy.mode = Mode::suggest;
  CHECK(held(preflight(facts), "policy"));
  facts.origin = OperationOrigin::plan;
  CHECK_FALSE(held(preflight(facts), "policy"));
  facts.policy.mode = Mode::automatic;
  CHECK(held(preflight(facts), "policy"));
  facts.policy.excluded = true;
  CHECK_FALSE(held(preflight(facts), "policy"));
  facts.policy = {};
  facts.policy.migrate = false;
  facts.origin = OperationOrigin::person;
  CHECK_FALSE(held(preflight(facts), "policy"));
  facts.origin = OperationOrigin::returning;
  CHECK(held(preflight(facts), "policy"));
  facts.policy.return_trip = false;
  CHECK_FALSE(held(preflight(facts), "policy"));
}

TEST_CASE("another balancer's VM is left to that balancer, but a person may move it") {
  auto facts = movable();
  facts.policy.mode = Mode::automatic;
  facts.placed->managed_by = "pacemaker";
  CHECK(held(preflight(facts), "managed"));
  facts.origin = OperationOrigin::plan;
  CHECK_FALSE(held(preflight(facts), "managed"));
}

TEST_CASE("disks are copied if one is not shared and policy or a person says so") {
  auto facts = movable();
  facts.placed->disks = {{"dir", 1}};
  CHECK_FALSE(preflight(facts).copy_storage);
  facts.policy.copy_storage = true;
  CHECK(preflight(facts).copy_storage);
  facts.copy_storage = false;
  CHECK_FALSE(preflight(facts).copy_storage);
  facts.policy.copy_storage = false;
  facts.copy_storage = true;
  CHECK(preflight(facts).copy_storage);
  facts.origin = OperationOrigin::plan;
  facts.policy.mode = Mode::automatic;
  CHECK_FALSE(held(preflight(facts), "policy"));
}

TEST_CASE("shared disks are never copied onto themselves") {
  auto facts = movable();
  facts.placed->disks = {{"nfs", 1}};
  facts.copy_storage = true;
  const auto departure = preflight(facts);
  CHECK_FALSE(departure.copy_storage);
  CHECK(allHeld(departure.checks));
}

TEST_CASE("a transient VM's disks are not copied") {
  auto facts = movable();
  facts.placed->disks = {{"dir", 1}};
  facts.copy_storage = true;
  facts.definition.inactive.clear();
  CHECK_FALSE(held(preflight(facts), "storage"));
}

TEST_CASE("what stays behind are the files of the disks that libvirt copies, and nothing else") {
  auto facts = movable();
  facts.definition.live =
      "<domain><metadata><m><disk type='file'><source file='/pool/other.qcow2'/></disk></m>"
      "</metadata><devices/></domain>";
  facts.definition.local_disks = {{"vda", "/var/a.qcow2", 1}, {"vdb", "", 2}};
  facts.copy_storage = true;
  facts.placed->disks = {{"dir", 1}, {"nfs", 1}};
  const auto copying = preflight(facts);
  CHECK(copying.copied_disks == std::vector<std::string>{"/var/a.qcow2"});
  CHECK(copying.disks == facts.definition.local_disks);
  facts.copy_storage = false;
  CHECK(preflight(facts).copied_disks.empty());
  CHECK(preflight(facts).disks.empty());
}

TEST_CASE("what virtseer does by itself with shared disks needs a lock manager or a waiver") {
  auto facts = movable();
  facts.policy.mode = Mode::automatic;
  facts.placed->disks = {{"nfs", 1 << 20}};
  for (const auto origin : {OperationOrigin::plan, OperationOrigin::returning}) {
    facts.origin = origin;
    facts.disk_locks = facts.policy.unlocked_disks = false;
    CHECK_FALSE(held(preflight(facts), "locks"));
    facts.disk_locks = true;
    CHECK(held(preflight(facts), "locks"));
    facts.disk_locks = false;
    facts.policy.unlocked_disks = true;
    CHECK(held(preflight(facts), "locks"));
  }
  facts.policy.unlocked_disks = false;
  facts.origin = OperationOrigin::person;
  CHECK(allHeld(preflight(facts).checks));
  facts.origin = OperationOrigin::plan;
  facts.placed->disks = {{"dir", 1 << 20}};
  CHECK(allHeld(preflight(facts).checks));
}

TEST_CASE("the storage of each disk that is not copied is to be the destination's too") {
  using Ids = std::vector<std::string>;
  auto facts = movable();
  facts.storage.push_back({.id = "block:dm-uuid-1", .shared = true});
  facts.placed->disks = {{"nfs", 1}, {"block:dm-uuid-1", 1}, {"dir", 0}, {"nfs", 0}};
  CHECK(preflight(facts).storage == Ids{"nfs", "block:dm-uuid-1"});

  SECTION("a block device that says nothing of itself is none that another host has") {
    facts.placed->disks = {{"block:/dev/vg/web", 0}};
    CHECK(preflight(facts).storage == Ids{"block:/dev/vg/web"});
  }
  SECTION("what is copied is not expected there") {
    facts.placed->disks = {{"nfs", 1}, {"dir", 1}, {"block:/dev/vg/web", 1}};
    facts.copy_storage = true;
    CHECK(preflight(facts).storage == Ids{"nfs"});
  }
}

}  // namespace
}  // namespace virtseer::act
