#include "collect/guest_survey.h"

#include <catch2/catch.hpp>

#include "collect/dirty_rates.h"
#include "platform/fake_environment.h"
#include "support/virtual_time.h"

using namespace virtseer;
using namespace virtseer::collect;
using Call = platform::FakeEnvironment::Call;

namespace {

Uuid uuid(std::uint8_t last) {
  Uuid out;
  out.bytes[0] = 0xaa;
  out.bytes[15] = last;
  return out;
}

/// VMs with what is asked of them, under a clock that the test turns.
struct Bench {
  ManualClock clock{Timestamp{}};
  test::VirtualTime time{clock};
  platform::FakeEnvironment environment{time.loop().get_executor()};
  TaskGroup tasks{time.loop().get_executor(),
                  [](const std::string&, const std::string& what) { FAIL_CHECK(what); }};
  std::map<std::string, std::vector<double>> values;  ///< by metric and mount point
  std::vector<Vm> vms;

  Bench() { time.step = Millis(500); }

  void add(std::uint8_t number) {
    Vm vm;
    vm.uuid = uuid(number);
    vm.name = "vm";
    vm.state = VmState::running;
    vm.has_guest_agent = true;
    environment.setVm(vm);
    vms.push_back(vm);
  }
  Pause pause() {
    return [this](Millis span) { return time.pause(span); };
  }
  GuestSurvey::Values take() {
    return [this](Uuid, std::span<const NamedValue> them) {
      for (const auto& value : them) {
        const auto mount = value.name->labels.find("mountpoint");
        values[value.name->metric + (mount == value.name->labels.end() ? "" : mount->second)]
            .push_back(value.value);
      }
    };
  }
};

/// Ends what runs before what it works on goes.
struct Ended {
  explicit Ended(Bench& the_bench) : bench(the_bench) {}
  ~Ended() {
    bench.tasks.cancel();
    bench.time.settle();
  }
  Bench& bench;
};

GuestFacts facts() {
  GuestFacts out;
  out.os = "Debian";
  out.vcpus_online = 2;
  out.clock_offset = Millis(-1500);
  out.filesystems = {{"/", "ext4", 1000, 400}};
  return out;
}

}  // namespace

TEST_CASE("each guest is asked once per interval, and its numbers become values") {
  Bench bench;
  GuestSurvey survey(bench.clock, bench.environment, {.interval = Millis(30'000)}, bench.take(),
                     bench.pause());
  const Ended ended(bench);
  for (std::uint8_t i = 1; i <= 3; ++i) {
    bench.add(i);
    bench.environment.setGuest(uuid(i), facts());
  }
  survey.setVms(bench.vms);
  survey.start(bench.tasks);
  bench.time.run(Millis(89'000));
  for (std::uint8_t i = 1; i <= 3; ++i) {
    const auto asked = bench.environment.count("guestFacts " + uuid(i).text());
    CHECK(asked >= 2);
    CHECK(asked <= 3);
    CHECK(survey.view(uuid(i)).facts->os == "Debian");
    CHECK(survey.view(uuid(i)).silent.empty());
  }
  CHECK(bench.values["libvirt_guest_clock_offset_seconds"].front() == -1.5);
  CHECK(bench.values["libvirt_guest_filesystem_size_bytes/"].front() == 1000);
  CHECK(bench.values["libvirt_guest_filesystem_used_bytes/"].front() == 400);
  CHECK(bench.values["libvirt_guest_vcpus_online"].front() == 2);
  CHECK_FALSE(bench.values.contains("libvirt_guest_load1"));
}

TEST_CASE("a guest that does not answer is asked more and more seldom, and says why") {
  Bench bench;
  GuestSurvey survey(bench.clock, bench.environment,
                     {.interval = Millis(10'000), .longest_wait = Millis(80'000)}, bench.take(),
                     bench.pause());
  const Ended ended(bench);
  bench.add(1);
  survey.setVms(bench.vms);
  survey.start(bench.tasks);
  bench.time.run(Millis(600'000));
  const auto asked = bench.environment.count("guestFacts");
  CHECK(asked >= 8);
  CHECK(asked <= 13);
  CHECK(survey.view(uuid(1)).silent.find("not connected") != std::string::npos);
  CHECK_FALSE(survey.view(uuid(1)).facts);
  // Once it answers it is asked as often as the others.
  bench.environment.setGuest(uuid(1), facts());
  bench.time.run(Millis(90'000));
  CHECK(survey.view(uuid(1)).silent.empty());
  const auto then = bench.environment.count("guestFacts");
  bench.time.run(Millis(60'000));
  CHECK(bench.environment.count("guestFacts") >= then + 5);
}

TEST_CASE("a question that does not get to the guest is not its silence, and is put again soon") {
  Bench bench;
  GuestSurvey survey(bench.clock, bench.environment,
                     {.interval = Millis(10'000), .longest_wait = Millis(600'000)}, bench.take(),
                     bench.pause());
  const Ended ended(bench);
  bench.add(1);
  survey.setVms(bench.vms);
  survey.start(bench.tasks);
  const auto code = GENERATE(Code::busy, Code::timeout, Code::unreachable, Code::failed);
  const auto asked = [&](std::size_t times) {
    return [&bench, times] { return bench.environment.count("guestFacts") == times; };
  };
  bench.environment.failNext(Call::guest_facts, {code, "somebody else asks it"}, 5);
  REQUIRE(bench.time.runUntil(asked(5), Millis(58'000)));
  CHECK(survey.view(uuid(1)).silent.empty());
  REQUIRE(bench.time.runUntil(asked(6), Millis(12'000)));
  CHECK(survey.view(uuid(1)).silent.find("not connected") != std::string::npos);
  // What is known of the guest, its silence too, stays.
  bench.environment.failNext(Call::guest_facts, {code, "somebody else asks it"});
  REQUIRE(bench.time.runUntil(asked(7), Millis(12'000)));
  CHECK(survey.view(uuid(1)).silent.find("not connected") != std::string::npos);
}

TEST_CASE("a guest that hangs holds up nobody else, and is never asked twice at once") {
  Bench bench;
  GuestSurvey survey(bench.clock, bench.environment, {.interval = Millis(10'000)}, bench.take(),
                     bench.pause());
  const Ended ended(bench);
  bench.add(1);
  survey.setVms(bench.vms);
  survey.start(bench.tasks);
  bench.environment.hold(Call::guest_facts);
  bench.time.run(Millis(120'000));
  CHECK(bench.environment.held(Call::guest_facts) == 1);
  bench.add(2);
  survey.setVms(bench.vms);
  bench.time.run(Millis(20'000));
  CHECK(bench.environment.held(Call::guest_facts) == 2);
  bench.environment.release(Call::guest_facts);
  bench.time.settle();
}

TEST_CASE("a guest that takes its time with each answer rests the longer") {
  Bench bench;
  GuestSurvey survey(bench.clock, bench.environment, {.interval = Millis(10'000)}, bench.take(),
                     bench.pause());
  const Ended ended(bench);
  bench.add(1);
  bench.environment.setGuest(uuid(1), facts());
  survey.setVms(bench.vms);
  survey.start(bench.tasks);
  bench.environment.hold(Call::guest_facts);
  bench.time.run(Millis(30'000));
  REQUIRE(bench.environment.held(Call::guest_facts) == 1);
  bench.environment.release(Call::guest_facts);
  bench.time.settle();
  CHECK(survey.view(uuid(1)).silent.empty());
  bench.time.run(Millis(190'000));
  CHECK(bench.environment.count("guestFacts") == 1);
  bench.time.run(Millis(120'000));
  CHECK(bench.environment.count("guestFacts") >= 2);
}

TEST_CASE("VMs without the channel, VMs that are off and a libvirt that is away are not asked") {
  Bench bench;
  GuestSurvey survey(bench.clock, bench.environment, {.interval = Millis(5'000)}, bench.take(),
                     bench.pause());
  const Ended ended(bench);
  bench.add(1);
  bench.add(2);
  bench.vms[0].has_guest_agent = false;
  bench.vms[1].state = VmState::shutoff;
  survey.setVms(bench.vms);
  survey.start(bench.tasks);
  bench.time.run(Millis(30'000));
  CHECK(bench.environment.count("guestFacts") == 0);
  bench.vms[1].state = VmState::running;
  survey.setVms(bench.vms);
  bench.environment.disconnect("away");
  bench.time.run(Millis(30'000));
  CHECK(bench.environment.count("guestFacts") == 0);
}

TEST_CASE("a guest cannot name file systems without end") {
  Bench bench;
  GuestSurvey survey(bench.clock, bench.environment, {.interval = Millis(1'000)}, bench.take(),
                     bench.pause());
  const Ended ended(bench);
  bench.add(1);
  survey.setVms(bench.vms);
  survey.start(bench.tasks);
  for (int round = 0; round < 50; ++round) {
    auto lie = facts();
    lie.filesystems.clear();
    for (std::size_t i = 0; i < GuestFacts::kMostFilesystems; ++i)
      lie.filesystems.push_back({"/" + std::to_string(round) + "/" + std::to_string(i), "x", 1, 1});
    bench.environment.setGuest(uuid(1), lie);
    bench.time.run(Millis(3'000));
  }
  CHECK(bench.values.size() <= 2 * 64 + 8);
}

TEST_CASE("each running VM's dirty rate is measured once per period, and is known for a while") {
  Bench bench;
  DirtyRates rates(bench.clock, bench.environment, Millis(60'000), bench.take(), bench.pause());
  const Ended ended(bench);
  for (std::uint8_t i = 1; i <= 3; ++i) {
    bench.add(i);
    bench.environment.setDirtyRate(uuid(i), 1e6 * i);
  }
  rates.setVms(bench.vms);
  rates.start(bench.tasks);
  bench.time.run(Millis(120'000));
  for (std::uint8_t i = 1; i <= 3; ++i) {
    CHECK(rates.of(uuid(i)) == 1e6 * i);
    const auto asked = bench.environment.count("measureDirtyRate " + uuid(i).text());
    CHECK(asked >= 1);
    CHECK(asked <= 2);
  }
  CHECK_FALSE(bench.values["libvirt_domain_dirty_rate_bytes_per_second"].empty());
  bench.environment.disconnect("away");
  bench.time.run(Millis(200'000));
  CHECK_FALSE(rates.of(uuid(1)));
}

TEST_CASE("a VM whose emulator cannot measure is left alone until it starts anew, others go on") {
  Bench bench;
  DirtyRates rates(bench.clock, bench.environment, Millis(10'000), bench.take(), bench.pause());
  const Ended ended(bench);
  const auto begun = [&](std::uint8_t number) {
    return bench.environment.count("measureDirtyRate " + uuid(number).text());
  };
  bench.add(1);
  rates.setVms(bench.vms);
  rates.start(bench.tasks);
  bench.environment.failNext(Call::measure_dirty_rate, {Code::unsupported, "no such command"});
  bench.time.run(Millis(60'000));
  CHECK(begun(1) == 1);
  bench.add(2);
  bench.environment.setDirtyRate(uuid(2), 1e6);
  rates.setVms(bench.vms);
  bench.time.run(Millis(60'000));
  CHECK(begun(1) == 1);
  CHECK(begun(2) >= 3);
  CHECK(rates.of(uuid(2)) == 1e6);
  bench.vms[0].state = VmState::shutoff;
  rates.setVms(bench.vms);
  bench.vms[0].state = VmState::running;
  rates.setVms(bench.vms);
  bench.time.run(Millis(30'000));
  CHECK(begun(1) >= 2);
}

TEST_CASE("a VM with a job is not measured") {
  Bench bench;
  DirtyRates rates(bench.clock, bench.environment, Millis(10'000), bench.take(), bench.pause());
  const Ended ended(bench);
  bench.add(1);
  rates.setVms(bench.vms);
  rates.start(bench.tasks);
  bench.environment.fakeActions().vm(uuid(1)).presence.job = Presence::Job::migration_out;
  bench.time.run(Millis(60'000));
  CHECK(bench.environment.count("measureDirtyRate") == 0);
  bench.environment.fakeActions().vm(uuid(1)).presence.job = Presence::Job::none;
  bench.time.run(Millis(60'000));
  CHECK(bench.environment.count("measureDirtyRate") >= 2);
}

TEST_CASE("a measure that never ends is given up, and 0 measures nothing") {
  Bench bench;
  DirtyRates rates(bench.clock, bench.environment, Millis(60'000), bench.take(), bench.pause());
  DirtyRates never(bench.clock, bench.environment, Millis(0), bench.take(), bench.pause());
  const Ended ended(bench);
  bench.add(1);
  rates.setVms(bench.vms);
  never.setVms(bench.vms);
  rates.start(bench.tasks);
  never.start(bench.tasks);
  CHECK(bench.tasks.size() == 1);
  bench.time.run(Millis(300'000));
  CHECK_FALSE(rates.of(uuid(1)));
  const auto begun = bench.environment.count("measureDirtyRate");
  CHECK(begun >= 3);
  CHECK(begun <= 6);
}
