#include <algorithm>

#include "contract/environment/worlds.h"
#include "virtseer/echo/wire.h"

// What every environment promises, whichever hypervisor is behind it.

using namespace virtseer;
using namespace virtseer::platform;
using namespace virtseer::platform::contract;

namespace {

const Uuid kNobody = *Uuid::parse("dddddddd-dddd-4ddd-8ddd-dddddddddddd");

template <class T>
const T* findVm(const std::vector<T>& list, const Uuid& uuid) {
  const auto found = std::ranges::find_if(list, [&](const T& entry) { return entry.uuid == uuid; });
  return found == list.end() ? nullptr : &*found;
}

const Measured* findMetric(const VmStatistics& statistics, std::string_view metric) {
  const auto found = std::ranges::find_if(
      statistics.values, [&](const Measured& value) { return value.name->metric == metric; });
  return found == statistics.values.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("an environment lists its VMs once it is connected") {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      world->connect();
      const auto status = world->environment().status();
      CHECK(status.connected);
      CHECK(status.error.empty());
      CHECK(status.since);
      const auto vms = world->await(world->environment().vms());
      REQUIRE(vms);
      const auto* vm = findVm(*vms, world->vm());
      REQUIRE(vm);
      CHECK(vm->state == VmState::running);
      CHECK(vm->environment == status.uri);
      CHECK_FALSE(vm->name.empty());
      CHECK(vm->vcpus.value_or(0) > 0);
      CHECK(vm->memory_bytes.value_or(0) > 0);
      CHECK(vm->has_channel == world->vmWithChannel().has_value());
      const auto again = world->await(world->environment().vms());
      REQUIRE(again);
      CHECK(findVm(*again, world->vm())->name == vm->name);
      world->stop();
    }
  }
}

TEST_CASE("statistics cover exactly the active VMs and keep their interned names") {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      world->connect();
      const auto vms = world->await(world->environment().vms());
      const auto first = world->await(world->environment().statistics());
      const auto second = world->await(world->environment().statistics());
      REQUIRE(vms);
      REQUIRE(first);
      REQUIRE(second);
      for (const auto& vm : *vms) {
        INFO(vm.name);
        const bool active = vm.state != VmState::shutoff && vm.state != VmState::crashed;
        CHECK((findVm(*first, vm.uuid) != nullptr) == active);
      }
      const auto* before = findVm(*first, world->vm());
      const auto* after = findVm(*second, world->vm());
      REQUIRE(before);
      REQUIRE(after);
      const auto* time = findMetric(*before, "libvirt_domain_info_cpu_time_seconds_total");
      REQUIRE(time);
      CHECK(time->name->kind == Kind::counter);
      CHECK(time->value > 0);
      const auto* later = findMetric(*after, "libvirt_domain_info_cpu_time_seconds_total");
      REQUIRE(later);
      CHECK(later->name == time->name);
      CHECK(later->value >= time->value);
      CHECK(findMetric(*before, "libvirt_domain_info_vstate")->value == 1);
      world->stop();
    }
  }
}

TEST_CASE("a change of state is noticed and seen in the next list") {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      world->connect();
      REQUIRE(world->environment().capabilities().notices);
      world->pauseVm();
      REQUIRE(world->until([&] { return world->saw(Notice::Kind::vm_lifecycle, "suspended"); }));
      CHECK(world->notices.front().kind == Notice::Kind::connected);
      CHECK(world->notices.back().vm == world->vm());
      CHECK(world->notices.back().reason == "paused");
      CHECK_FALSE(world->notices.back().vm_name.empty());
      auto vms = world->await(world->environment().vms());
      REQUIRE(vms);
      CHECK(findVm(*vms, world->vm())->state == VmState::paused);
      const auto statistics = world->await(world->environment().statistics());
      REQUIRE(statistics);
      CHECK(findVm(*statistics, world->vm()));
      world->resumeVm();
      REQUIRE(world->until([&] { return world->saw(Notice::Kind::vm_lifecycle, "resumed"); }));
      world->stop();
    }
  }
}

TEST_CASE("an environment tells about its host") {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      world->connect();
      const auto facts = world->await(world->environment().hostFacts());
      REQUIRE(facts);
      CHECK_FALSE(facts->name.empty());
      CHECK(facts->cpus_online > 0);
      CHECK(facts->memory_bytes > 0);
      CHECK_FALSE(facts->library_version.empty());
      CHECK_FALSE(facts->hypervisor_version.empty());
      world->stop();
    }
  }
}

TEST_CASE("what concerns an unknown VM is not found") {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      world->connect();
      const auto channel =
          world->await(world->environment().openChannel(kNobody, std::string(echo::kChannelName)));
      REQUIRE_FALSE(channel);
      CHECK(channel.error().code == Code::not_found);
      const auto period =
          world->await(world->environment().setBalloonPeriod(kNobody, std::chrono::seconds(5)));
      REQUIRE_FALSE(period);
      CHECK(period.error().code == Code::not_found);
      world->stop();
    }
  }
}

TEST_CASE(
    "without a hypervisor the environment stays up, says why, and every call is unreachable") {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      const auto environment = makeUnreachable(name, world->loop.get_executor());
      world->tasks.spawn("unreachable", environment->run());
      REQUIRE(world->until([&] {
        const auto error = environment->status().error;
        return !error.empty() && error != "not connected yet";
      }));
      CHECK_FALSE(environment->status().connected);
      CHECK_FALSE(environment->status().since);
      const auto vms = world->await(environment->vms());
      REQUIRE_FALSE(vms);
      CHECK(vms.error().code == Code::unreachable);
      const auto statistics = world->await(environment->statistics());
      REQUIRE_FALSE(statistics);
      CHECK(statistics.error().code == Code::unreachable);
      const auto facts = world->await(environment->hostFacts());
      REQUIRE_FALSE(facts);
      CHECK(facts.error().code == Code::unreachable);
      const auto channel = world->await(environment->openChannel(kNobody, "x"));
      REQUIRE_FALSE(channel);
      CHECK(channel.error().code == Code::unreachable);
      // Not "absent": nothing is known of a VM that nobody can be asked about.
      const auto presence = world->await(environment->actions().presence(kNobody));
      REQUIRE_FALSE(presence);
      CHECK(presence.error().code == Code::unreachable);
      const auto moved = world->await(
          environment->actions().migrate(MigrateOrder{.vm = kNobody, .destination = "x"}));
      REQUIRE_FALSE(moved);
      CHECK(moved.error().code == Code::unreachable);
      world->stop();
    }
  }
}

TEST_CASE("a channel goes to its latest reader; the earlier one is told") {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      if (!world->vmWithChannel()) continue;  // libvirt's test driver has no channels
      world->connect();
      REQUIRE(world->environment().capabilities().channels);
      const auto open = [&] {
        auto channel = world->await(world->environment().openChannel(
            *world->vmWithChannel(), std::string(echo::kChannelName)));
        REQUIRE(channel);
        return std::move(*channel);
      };
      const auto first = open();
      CHECK(world->await(first->write("hello")));
      const auto second = open();
      for (;;) {  // what the guest sent before may still wait
        const auto bytes = world->await(first->read());
        if (bytes) continue;
        CHECK(bytes.error().code == Code::unreachable);
        break;
      }
      CHECK_FALSE(world->await(first->write("too late")));
      CHECK(world->await(second->write("hello")));
      second->close();
      const auto closed = world->await(second->read());
      if (!closed) CHECK(closed.error().code == Code::cancelled);
      world->stop();
    }
  }
}
