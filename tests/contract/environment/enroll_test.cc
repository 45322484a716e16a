#include "contract/environment/worlds.h"

// What enrolling, and asking guests and their memory, promise, whichever hypervisor is behind it.
// libvirt's test driver takes no device, has no guest agent and measures no memory: it says so. A
// real QEMU is tried in the lab.

using namespace virtseer;
using namespace virtseer::platform;
using namespace virtseer::platform::contract;

namespace {

const Uuid kNobody = *Uuid::parse("dddddddd-dddd-4ddd-8ddd-dddddddddddd");
const Uuid kNew = *Uuid::parse("eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee");
constexpr auto kNewName = "virtseer-contract-enroll";
constexpr Affects kLive{.live = true, .config = false}, kConfig{.live = false, .config = true},
    kBoth{.live = true, .config = true};

/// Whether devices can be added to the VMs of this world.
bool takesDevices(const std::string& world) {
  return world != "libvirt-test";
}

template <class Test>
void inEveryWorld(Test test) {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      world->connect();
      test(*world, world->environment().actions(), name);
      world->stop();
    }
  }
}

EnrollFacts facts(World& world, const Uuid& vm) {
  const auto out = world.await(world.environment().actions().enrollFacts(vm));
  if (!out) FAIL(out.error().message);
  return *out;
}

struct Cleared {
  explicit Cleared(World& the_world) : world(the_world) {}
  ~Cleared() {
    auto& actions = world.environment().actions();
    (void)world.await(actions.destroy(kNew));
    (void)world.await(actions.undefine(kNew));
  }
  World& world;
};

}  // namespace

TEST_CASE("what enrolling has to know is told of both definitions") {
  inEveryWorld([](World& world, Actions& actions, const std::string&) {
    const auto running = facts(world, world.vm());
    CHECK(running.vm == world.vm());
    CHECK_FALSE(running.name.empty());
    CHECK_FALSE(running.driver.empty());
    CHECK(running.presence.state == Presence::State::running);
    CHECK(running.live);
    CHECK(running.config.has_value() == running.presence.defined);

    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    const auto off = facts(world, kNew);
    CHECK(off.name == kNewName);
    CHECK_FALSE(off.live);
    REQUIRE(off.config);
    CHECK_FALSE(off.config->channel);
    REQUIRE(world.await(actions.start(kNew, "")));
    REQUIRE(world.await(actions.undefine(kNew)));
    const auto transient = facts(world, kNew);
    CHECK(transient.live);
    CHECK_FALSE(transient.config);
  });
}

TEST_CASE("of an unknown VM nothing is known, changed or asked") {
  inEveryWorld([](World& world, Actions& actions, const std::string&) {
    auto& environment = world.environment();
    CHECK(world.await(actions.enrollFacts(kNobody)).error().code == Code::not_found);
    CHECK(world.await(actions.setEchoChannel(kNobody, true, kBoth)).error().code ==
          Code::not_found);
    CHECK(world.await(actions.setBalloonPeriod(kNobody, std::chrono::seconds(5), kBoth))
              .error()
              .code == Code::not_found);
    CHECK(world.await(environment.guestFacts(kNobody)).error().code == Code::not_found);
    CHECK(
        world.await(environment.measureDirtyRate(kNobody, std::chrono::seconds(1))).error().code ==
        Code::not_found);
    CHECK(world.await(environment.dirtyRate(kNobody)).error().code == Code::not_found);
  });
}

TEST_CASE("a definition that a VM does not have cannot be changed") {
  inEveryWorld([](World& world, Actions& actions, const std::string&) {
    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    CHECK(world.await(actions.setEchoChannel(kNew, true, kLive)).error().code == Code::failed);
    CHECK(
        world.await(actions.setBalloonPeriod(kNew, std::chrono::seconds(5), kLive)).error().code ==
        Code::failed);
    REQUIRE(world.await(actions.start(kNew, "")));
    REQUIRE(world.await(actions.undefine(kNew)));
    CHECK(world.await(actions.setEchoChannel(kNew, true, kConfig)).error().code == Code::failed);
    CHECK(facts(world, kNew).presence.state == Presence::State::running);
  });
}

TEST_CASE("a channel is added to a definition once, is there at the next start, and goes again") {
  inEveryWorld([](World& world, Actions& actions, const std::string& name) {
    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    const auto added = world.await(actions.setEchoChannel(kNew, true, kConfig));
    if (!takesDevices(name)) {
      REQUIRE_FALSE(added);
      CHECK(added.error().code == Code::unsupported);
      return;
    }
    REQUIRE(added);
    CHECK(facts(world, kNew).config->channel);
    CHECK(world.await(actions.setEchoChannel(kNew, true, kConfig)));
    REQUIRE(world.await(actions.start(kNew, "")));
    CHECK(facts(world, kNew).live->channel);
    CHECK(world.until([&] { return world.saw(Notice::Kind::vm_changed, "enrolled"); }));

    CHECK(world.await(actions.setEchoChannel(kNew, false, kConfig)));
    CHECK(world.await(actions.setEchoChannel(kNew, false, kConfig)));
    const auto now = facts(world, kNew);
    CHECK(now.live->channel);
    CHECK_FALSE(now.config->channel);
  });
}

TEST_CASE("a VM that runs takes the channel in both definitions, and gives it back") {
  inEveryWorld([](World& world, Actions& actions, const std::string& name) {
    if (!takesDevices(name)) return;
    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    REQUIRE(world.await(actions.start(kNew, "")));
    if (!facts(world, kNew).live->port_free) {
      CHECK_FALSE(world.await(actions.setEchoChannel(kNew, true, kBoth)));
      CHECK_FALSE(facts(world, kNew).config->channel);
      return;
    }
    const auto added = world.await(actions.setEchoChannel(kNew, true, kBoth));
    if (!added) FAIL(added.error().message);
    auto now = facts(world, kNew);
    CHECK(now.live->channel);
    CHECK(now.config->channel);
    CHECK(now.presence.state == Presence::State::running);
    REQUIRE(world.await(actions.setEchoChannel(kNew, false, kBoth)));
    REQUIRE(world.until([&] { return !facts(world, kNew).live->channel; }));
    CHECK_FALSE(facts(world, kNew).config->channel);
  });
}

TEST_CASE("a VM without a channel for qemu-guest-agent cannot be asked") {
  inEveryWorld([](World& world, Actions&, const std::string&) {
    const auto asked = world.await(world.environment().guestFacts(world.vm()));
    REQUIRE_FALSE(asked);
    CHECK(asked.error().code == Code::unsupported);
  });
}

TEST_CASE("without a measure there is no dirty rate") {
  inEveryWorld([](World& world, Actions&, const std::string& name) {
    const auto rate = world.await(world.environment().dirtyRate(world.vm()));
    if (rate)
      CHECK_FALSE(*rate);
    else
      CHECK(rate.error().code == Code::unsupported);
    const auto begun =
        world.await(world.environment().measureDirtyRate(world.vm(), std::chrono::seconds(1)));
    CHECK(begun.has_value() == takesDevices(name));
    if (!begun) CHECK(begun.error().code == Code::unsupported);
  });
}
