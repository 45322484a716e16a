#include <algorithm>

#include "contract/environment/worlds.h"

// What acting promises, whichever hypervisor is behind it. Moves are tried in the lab.

using namespace virtseer;
using namespace virtseer::platform;
using namespace virtseer::platform::contract;

namespace {

using State = Presence::State;
using Job = Presence::Job;

const Uuid kNobody = *Uuid::parse("dddddddd-dddd-4ddd-8ddd-dddddddddddd");
const Uuid kNew = *Uuid::parse("eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee");
constexpr auto kNewName = "virtseer-contract";

template <class Test>
void inEveryWorld(Test test) {
  for (const auto& name : worldNames()) {
    DYNAMIC_SECTION(name) {
      const auto world = makeWorld(name);
      world->connect();
      test(*world, world->environment().actions());
      world->stop();
    }
  }
}

Presence presence(World& world, const Uuid& vm) {
  const auto out = world.await(world.environment().actions().presence(vm));
  REQUIRE(out);
  return *out;
}

/// Takes away what a test made, also after a failure.
struct Cleared {
  explicit Cleared(World& the_world) : world(the_world) {}
  ~Cleared() {
    auto& actions = world.environment().actions();
    (void)world.await(actions.destroy(kNew));
    (void)world.await(actions.undefine(kNew));
  }
  World& world;
};

const Check* findCheck(const std::vector<Check>& checks, std::string_view name) {
  const auto found = std::ranges::find(checks, name, &Check::name);
  return found == checks.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("a running VM is present, an unknown one is absent and no error") {
  inEveryWorld([](World& world, Actions&) {
    const auto here = presence(world, world.vm());
    CHECK(here.state == State::running);
    CHECK(here.job == Job::none);
    CHECK_FALSE(here.crashed);
    CHECK_FALSE(here.reason.empty());
    CHECK(presence(world, kNobody) == Presence{});
  });
}

TEST_CASE("suspending and resuming show in the presence at once, and are told") {
  inEveryWorld([](World& world, Actions& actions) {
    CHECK(world.await(actions.suspend(world.vm())));
    CHECK(presence(world, world.vm()).state == State::paused);
    CHECK(presence(world, world.vm()).job == Job::none);
    CHECK(world.until([&] { return world.saw(Notice::Kind::vm_lifecycle, "suspended"); }));
    CHECK(world.await(actions.resume(world.vm())));
    CHECK(presence(world, world.vm()).state == State::running);
    CHECK(world.until([&] { return world.saw(Notice::Kind::vm_lifecycle, "resumed"); }));
  });
}

TEST_CASE("a VM is defined, started, ended and undefined, and asking twice does no harm") {
  inEveryWorld([](World& world, Actions& actions) {
    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    auto now = presence(world, kNew);
    CHECK(now.state == State::off);
    CHECK(now.defined);
    CHECK_FALSE(now.crashed);
    CHECK(now.unexplained);  // it never ran: libvirt has no word for that
    auto definition = world.await(actions.definition(kNew));
    REQUIRE(definition);
    CHECK(definition->inactive.find(kNewName) != std::string::npos);
    CHECK(definition->live.empty());

    REQUIRE(world.await(actions.start(kNew, "")));
    CHECK(presence(world, kNew).state == State::running);
    CHECK_FALSE(presence(world, kNew).unexplained);
    definition = world.await(actions.definition(kNew));
    REQUIRE(definition);
    CHECK(definition->live.find(kNew.text()) != std::string::npos);
    CHECK(world.until([&] { return world.saw(Notice::Kind::vm_lifecycle, "started"); }));

    CHECK(world.await(actions.destroy(kNew)));
    CHECK(world.await(actions.destroy(kNew)));
    now = presence(world, kNew);
    CHECK(now.state == State::off);
    CHECK_FALSE(now.crashed);
    CHECK_FALSE(now.unexplained);
    CHECK(world.until([&] { return world.saw(Notice::Kind::vm_lifecycle, "stopped"); }));

    CHECK(world.await(actions.undefine(kNew)));
    CHECK(world.await(actions.undefine(kNew)));
    CHECK(presence(world, kNew) == Presence{});
  });
}

TEST_CASE("a VM that runs stays when its definition goes, and goes when it ends") {
  inEveryWorld([](World& world, Actions& actions) {
    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    REQUIRE(world.await(actions.start(kNew, "")));
    REQUIRE(world.await(actions.undefine(kNew)));
    const auto now = presence(world, kNew);
    CHECK(now.state == State::running);
    CHECK_FALSE(now.defined);
    const auto definition = world.await(actions.definition(kNew));
    REQUIRE(definition);
    CHECK(definition->inactive.empty());
    CHECK_FALSE(definition->live.empty());
    CHECK(world.await(actions.destroy(kNew)));
    CHECK(presence(world, kNew) == Presence{});
  });
}

TEST_CASE("a VM that is not defined starts from XML, if it is its own") {
  inEveryWorld([](World& world, Actions& actions) {
    const Cleared cleared(world);
    const auto xml = world.definition(kNew, kNewName);
    const auto wrong = world.await(actions.start(kNobody, xml));
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == Code::invalid);
    CHECK(presence(world, kNew) == Presence{});
    REQUIRE(world.await(actions.start(kNew, xml)));
    const auto now = presence(world, kNew);
    CHECK(now.state == State::running);
    CHECK_FALSE(now.defined);
    CHECK_FALSE(world.await(actions.start(kNew, xml)));
  });
}

TEST_CASE("autostart is set and read back") {
  inEveryWorld([](World& world, Actions& actions) {
    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    for (const bool on : {true, false}) {
      CHECK(world.await(actions.setAutostart(kNew, on)));
      const auto definition = world.await(actions.definition(kNew));
      REQUIRE(definition);
      CHECK(definition->autostart == on);
      CHECK_FALSE(definition->managed_save);
    }
    CHECK(world.await(actions.removeManagedSave(kNew)));
  });
}

TEST_CASE("what is to be done to an unknown VM is not found; ending it is done") {
  inEveryWorld([](World& world, Actions& actions) {
    CHECK(world.await(actions.suspend(kNobody)).error().code == Code::not_found);
    CHECK(world.await(actions.resume(kNobody)).error().code == Code::not_found);
    CHECK(world.await(actions.start(kNobody, "")).error().code == Code::not_found);
    CHECK(world.await(actions.setAutostart(kNobody, true)).error().code == Code::not_found);
    CHECK(world.await(actions.definition(kNobody)).error().code == Code::not_found);
    CHECK(world.await(actions.progress(kNobody)).error().code == Code::not_found);
    CHECK(world.await(actions.abortJob(kNobody)).error().code == Code::not_found);
    CHECK(world.await(actions.migrate(MigrateOrder{.vm = kNobody, .destination = "test:///x"}))
              .error()
              .code == Code::not_found);
    CHECK(world.await(actions.destroy(kNobody)));
    CHECK(world.await(actions.undefine(kNobody)));
  });
}

TEST_CASE("without a job there is no progress and nothing to abort") {
  inEveryWorld([](World& world, Actions& actions) {
    CHECK(world.await(actions.progress(world.vm())).error().code == Code::not_found);
    CHECK_FALSE(world.await(actions.abortJob(world.vm())));
    CHECK(presence(world, world.vm()).state == State::running);
  });
}

TEST_CASE("a VM that is off has no job, and what only an active one can do fails for good") {
  inEveryWorld([](World& world, Actions& actions) {
    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    for (const bool ran : {false, true}) {
      if (ran) {
        REQUIRE(world.await(actions.start(kNew, "")));
        REQUIRE(world.await(actions.destroy(kNew)));
      }
      CHECK(world.await(actions.progress(kNew)).error().code == Code::not_found);
      CHECK(world.await(actions.suspend(kNew)).error().code == Code::failed);
      CHECK(world.await(actions.resume(kNew)).error().code == Code::failed);
    }
    REQUIRE(world.await(actions.start(kNew, "")));
    CHECK(world.await(actions.start(kNew, "")).error().code == Code::failed);
  });
}

TEST_CASE("what cannot be defined is refused, and nothing is left of it") {
  inEveryWorld([](World& world, Actions& actions) {
    CHECK_FALSE(world.await(actions.define("<domain")));
    CHECK(presence(world, kNew) == Presence{});
  });
}

TEST_CASE("what VMs need is told of exactly the active ones") {
  inEveryWorld([](World& world, Actions& actions) {
    const Cleared cleared(world);
    REQUIRE(world.await(actions.define(world.definition(kNew, kNewName))));
    const auto placed = world.await(actions.placed());
    REQUIRE(placed);
    CHECK(std::ranges::find(*placed, kNew, &PlacedVm::uuid) == placed->end());
    const auto vm = std::ranges::find(*placed, world.vm(), &PlacedVm::uuid);
    REQUIRE(vm != placed->end());
    CHECK(vm->state == VmState::running);
    CHECK(vm->vcpus > 0);
    CHECK(vm->memory_bytes > 0);
    CHECK(vm->job.empty());
    CHECK(vm->managed_by.empty());
  });
}

TEST_CASE("a host tells what it is and how much memory it gave away") {
  inEveryWorld([](World& world, Actions& actions) {
    const auto host = world.await(actions.host());
    REQUIRE(host);
    CHECK_FALSE(host->name.empty());
    CHECK(host->memory_given > 0);
    CHECK(std::ranges::is_sorted(host->machine_types));
    CHECK_FALSE(host->disk_locks);
  });
}

TEST_CASE("a host that is said to guard disks says so") {
  for (const auto& name : worldNames()) {
    for (const bool locks : {true, false}) {
      DYNAMIC_SECTION(name << ", " << locks) {
        const auto world = makeWorld(name, locks);
        world->connect();
        const auto host = world->await(world->environment().actions().host());
        REQUIRE(host);
        CHECK(host->disk_locks == locks);
        world->stop();
      }
    }
  }
}

TEST_CASE("a destination tells a VM that is active, one that is off and one that is new apart") {
  inEveryWorld([](World& world, Actions& actions) {
    const Cleared cleared(world);
    const auto xml = world.definition(kNew, kNewName);
    const auto held = [&](std::string_view name) {
      const auto admitted = world.await(actions.admits(xml, false, {}));
      REQUIRE(admitted);
      CHECK(admitted->copies.empty());
      const auto* check = findCheck(admitted->checks, name);
      REQUIRE(check);
      CHECK_FALSE(check->words.empty());
      return check->held;
    };
    CHECK(held("identity"));
    CHECK(held("active"));
    REQUIRE(world.await(actions.define(xml)));
    CHECK_FALSE(held("identity"));
    CHECK(held("active"));
    REQUIRE(world.await(actions.start(kNew, "")));
    CHECK(held("identity"));
    CHECK_FALSE(held("active"));
    CHECK(world.await(actions.admits("<html/>", false, {})).error().code == Code::invalid);
  });
}

TEST_CASE("a volume that is not there is deleted already") {
  inEveryWorld([](World& world, Actions& actions) {
    CHECK(world.await(actions.deleteVolume("/nonexistent/virtseer/disk.raw")));
  });
}
