#include "decide/doctor.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::decide;

namespace {

const Timestamp kNow = *parseRfc3339("2026-01-31T08:05:00Z");
const Uuid kHost = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000f");

const Uuid kBeta = *Uuid::parse("bbbbbbbb-0000-4000-8000-00000000000f");

/// A VM that is seen from inside and outside.
CheckedVm seen(std::uint8_t number, const std::string& name) {
  CheckedVm out;
  out.vm.uuid.bytes[15] = number;
  out.vm.name = name;
  out.vm.environment = "qemu:///system";
  out.vm.state = VmState::running;
  out.vm.persistent = true;
  out.vm.role = Role::production;
  out.vm.has_channel = true;
  out.vm.balloon_period_s = 5;
  out.balloon_updated = kNow - Millis(4000);
  out.agent.state = AgentLink::State::connected;
  out.agent.agent_version = "0.2.0";
  out.agent.interval_ms = 5000;
  out.agent.last_echo = kNow - Millis(3000);
  out.agent.sources = {{"cpu", "on"}};
  out.agent.role = "production";
  return out;
}

/// A host on which nothing is wrong.
CheckUp well() {
  CheckUp up;
  up.now = kNow;
  up.started = kNow - std::chrono::hours(1);
  up.version = "0.2.0";
  up.host = kHost;
  up.host_name = "alpha";
  up.environments = {{"qemu:///system", true, "", 0, 0, ""}};
  up.peers = {{"beta", kBeta, true, kNow, ""}};
  up.vms = {seen(1, "web")};
  up.clock_synchronised = true;
  up.kvm = true;
  up.disk_locks = false;
  return up;
}

std::vector<std::string> kinds(const CheckUp& up) {
  std::vector<std::string> out;
  for (const auto& finding : diagnose(up)) out.push_back(finding.kind);
  return out;
}

Finding only(const CheckUp& up) {
  const auto findings = diagnose(up);
  REQUIRE(findings.size() == 1);
  CHECK_FALSE(findings[0].what.empty());
  CHECK_FALSE(findings[0].means.empty());
  CHECK_FALSE(findings[0].remedy.empty());
  return findings[0];
}

/// The one finding of a VM that `spoil` made worse.
template <class Spoil>
Finding ofVm(Spoil spoil) {
  auto up = well();
  spoil(up.vms[0]);
  const auto finding = only(up);
  CHECK(finding.entity == up.vms[0].vm.uuid);
  CHECK(finding.entity_name == "web");
  return finding;
}

}  // namespace

TEST_CASE("where nothing is wrong nothing is found") {
  CHECK(diagnose(well()).empty());
}

TEST_CASE("a VM without a channel is to be enrolled, with the command for it") {
  const auto finding = ofVm([](CheckedVm& vm) {
    vm.vm.has_channel = false;
    vm.agent = {};
  });
  CHECK(finding.kind == "vm.channel_missing");
  CHECK(finding.severity == Severity::warning);
  CHECK(finding.command == "virtseer enroll web");
}

TEST_CASE("a container is to be enrolled over TLS") {
  const auto finding = ofVm([](CheckedVm& vm) {
    vm.vm.environment = "lxc:///";
    vm.vm.has_channel = false;
    vm.agent = {};
  });
  CHECK(finding.kind == "vm.channel_missing");
  CHECK(finding.command == "virtseer enroll web --tls ADDRESS:PORT");
}

TEST_CASE("an agent that reaches the daemon without a channel needs none") {
  auto up = well();
  up.vms[0].vm.has_channel = false;
  CHECK(diagnose(up).empty());
}

TEST_CASE("an agent that fell silent is worse than one that never spoke") {
  auto fell = ofVm([](CheckedVm& vm) {
    vm.agent.state = AgentLink::State::connecting;
    vm.agent.last_echo = kNow - std::chrono::minutes(3);
  });
  CHECK(fell.kind == "vm.agent_silent");
  CHECK(fell.severity == Severity::error);
  CHECK(fell.what.find("3 min ago") != std::string::npos);
  auto never = ofVm([](CheckedVm& vm) {
    vm.agent = {};
    vm.agent.state = AgentLink::State::connecting;
  });
  CHECK(never.kind == "vm.agent_silent");
  CHECK(never.severity == Severity::warning);
}

TEST_CASE("an agent that calls and fell silent is not told to be enrolled by a channel") {
  const auto calls = [](CheckedVm& vm) {
    vm.vm.has_channel = false;
    vm.token = true;
    vm.agent = {};
    vm.agent.reason = "the VM has no virtio channel";
  };
  const auto fell = ofVm([&](CheckedVm& vm) {
    calls(vm);
    vm.agent.last_echo = kNow - std::chrono::minutes(3);
  });
  CHECK(fell.kind == "vm.agent_silent");
  CHECK(fell.severity == Severity::error);
  CHECK(fell.what.find("3 min ago") != std::string::npos);
  CHECK(fell.command == "virtseer vm web");
  const auto never = ofVm(calls);
  CHECK(never.kind == "vm.agent_silent");
  CHECK(never.severity == Severity::warning);
  CHECK(never.what.find("channel") == std::string::npos);
  CHECK(never.remedy.find("echo.listen_tls") != std::string::npos);
  // One that was enrolled once and is not any more is not to be heard.
  CHECK(ofVm([&](CheckedVm& vm) {
          calls(vm);
          vm.token = false;
          vm.agent.last_echo = kNow - std::chrono::minutes(3);
        }).kind == "vm.channel_missing");
}

TEST_CASE("an agent that is connected and sends nothing is found") {
  const auto finding =
      ofVm([](CheckedVm& vm) { vm.agent.last_echo = kNow - std::chrono::minutes(2); });
  CHECK(finding.kind == "vm.agent_stalled");
}

TEST_CASE("a refused agent is an error, with the reason") {
  const auto finding = ofVm([](CheckedVm& vm) {
    vm.agent.state = AgentLink::State::refused;
    vm.agent.reason = "protocol 9";
  });
  CHECK(finding.kind == "vm.agent_refused");
  CHECK(finding.severity == Severity::error);
  CHECK(finding.what.find("protocol 9") != std::string::npos);
}

TEST_CASE(
    "an agent that is refused for what it sends is not simply told to be of another version") {
  const auto finding = ofVm([](CheckedVm& vm) {
    vm.agent.state = AgentLink::State::refused;
    vm.agent.reason = "closed: more than 200 frames per second";
  });
  CHECK(finding.remedy.find("look at the reason") != std::string::npos);
  CHECK(finding.remedy.find("writes to its port") != std::string::npos);
}

TEST_CASE("an older agent is told, a newer one is not") {
  CHECK(ofVm([](CheckedVm& vm) { vm.agent.agent_version = "0.1.12"; }).kind == "vm.agent_old");
  for (const char* version : {"0.2.0", "0.10.0", "1.0"}) {
    auto up = well();
    up.vms[0].agent.agent_version = version;
    CHECK(diagnose(up).empty());
  }
}

TEST_CASE("what the agent does not tell is found with its reasons") {
  const auto off = ofVm([](CheckedVm& vm) {
    vm.agent.sources = {{"cpu", "on"}, {"bpf", "no CAP_BPF"}, {"log", "no\x1bjournal"}};
  });
  CHECK(off.kind == "vm.sources_off");
  CHECK(off.what.find("bpf off (no CAP_BPF)") != std::string::npos);
  CHECK(off.what.find('\x1b') == std::string::npos);
  CHECK(ofVm([](CheckedVm& vm) { vm.agent.role = "lab"; }).kind == "vm.role_mismatch");
  CHECK(ofVm([](CheckedVm& vm) { vm.agent.lost = 4; }).kind == "vm.echoes_lost");
}

TEST_CASE(
    "a source that the host does not ask for is no finding, one that works in part is none off") {
  auto up = well();
  up.vms[0].agent.sources = {{"cpu", "on"}, {"apps", "not asked for"}};
  CHECK(diagnose(up).empty());
  const auto part = ofVm([](CheckedVm& vm) {
    vm.agent.sources = {{"apps", "not asked for"}, {"log", "in part: no journal"}};
  });
  CHECK(part.kind == "vm.sources_off");
  CHECK(part.what.find("log in part (no journal)") != std::string::npos);
  CHECK(part.what.find("off") == std::string::npos);
  CHECK(part.what.find("apps") == std::string::npos);
}

TEST_CASE("faulty frames count by their share of what an agent sends") {
  const auto with = [](std::uint64_t faults, std::uint64_t echoes) {
    auto up = well();
    up.vms[0].agent.faults = faults;
    up.vms[0].agent.echoes = echoes;
    return kinds(up);
  };
  const std::vector<std::string> faulty{"vm.agent_faulty"};
  CHECK(with(1, 0) == faulty);
  CHECK(with(1, 99) == faulty);
  CHECK(with(1, 100).empty());
  CHECK(with(10, 100'000).empty());
  CHECK(with(10, 500) == faulty);
}

TEST_CASE("a balloon that tells nothing is found, whatever the cause") {
  CHECK(ofVm([](CheckedVm& vm) { vm.vm.balloon_period_s.reset(); }).kind == "vm.balloon_missing");
  const auto silent = ofVm([](CheckedVm& vm) { vm.vm.balloon_period_s = 0; });
  CHECK(silent.kind == "vm.balloon_silent");
  CHECK(silent.command == "virsh dommemstat web --period 5 --live --config");
  CHECK(ofVm([](CheckedVm& vm) {
          vm.vm.balloon_period_s = 0;
          vm.vm.persistent = false;
        }).command == "virsh dommemstat web --period 5 --live");
  CHECK(ofVm([](CheckedVm& vm) { vm.balloon_updated = kNow - Millis(46'000); }).kind ==
        "vm.balloon_stale");
  CHECK(ofVm([](CheckedVm& vm) { vm.balloon_updated.reset(); }).kind == "vm.balloon_stale");
  // A daemon that has just started has not heard of it yet.
  auto up = well();
  up.started = kNow - Millis(20'000);
  up.vms[0].balloon_updated.reset();
  CHECK(diagnose(up).empty());
}

TEST_CASE("a clock that is off by more than it is known to within is found") {
  const auto with = [](std::int64_t offset, std::int64_t error) {
    return [=](CheckedVm& vm) {
      vm.guest.emplace();
      vm.guest->clock_offset = Millis(offset);
      vm.guest->clock_error = Millis(error);
    };
  };
  const auto behind = ofVm(with(-5'000, 10));
  CHECK(behind.kind == "vm.clock_off");
  CHECK(behind.severity == Severity::warning);
  CHECK(behind.what.find("behind") != std::string::npos);
  CHECK(ofVm(with(90'000, 10)).severity == Severity::error);
  auto up = well();
  with(3'000, 1'500)(up.vms[0]);
  CHECK(diagnose(up).empty());
  // What it said before it fell silent counts no more.
  with(90'000, 10)(up.vms[0]);
  up.vms[0].guest_silent = "not connected";
  CHECK(diagnose(up).empty());
}

TEST_CASE("a qemu-guest-agent is missed only where there is a channel for it") {
  auto up = well();
  up.vms[0].guest_silent = "not connected";
  CHECK(diagnose(up).empty());
  up.vms[0].vm.has_guest_agent = true;
  CHECK(only(up).kind == "vm.guest_agent_silent");
}

TEST_CASE("a policy that is not understood is found") {
  auto up = well();
  up.vms[0].policy_fault = "there is no key \"migrat\"";
  const auto finding = only(up);
  CHECK(finding.kind == "vm.policy_unreadable");
  CHECK(finding.what.ends_with("not understood: there is no key \"migrat\""));
}

TEST_CASE("VMs that are off are not looked at") {
  auto up = well();
  up.vms[0] = CheckedVm{};
  up.vms[0].vm.state = VmState::shutoff;
  CHECK(diagnose(up).empty());
}

TEST_CASE("what blinds the whole host is found") {
  const auto ofHost = [](auto spoil) {
    auto up = well();
    spoil(up);
    const auto finding = only(up);
    CHECK(finding.entity == kHost);
    return finding.kind;
  };
  CHECK(ofHost([](CheckUp& up) { up.environments[0].connected = false; }) == "host.libvirt_lost");
  CHECK(ofHost([](CheckUp& up) { up.environments[0].no_actions = "polkit says no"; }) ==
        "host.libvirt_read_only");
  CHECK(ofHost([](CheckUp& up) { up.environments[0].calls_stuck = 1; }) == "host.libvirt_stuck");
  CHECK(ofHost([](CheckUp& up) { up.missed_beats = 10; }) == "host.statistics_late");
  CHECK(ofHost([](CheckUp& up) { up.environments[0].calls_timed_out = 10; }) ==
        "host.libvirt_slow");
  CHECK(ofHost([](CheckUp& up) { up.pressure = false; }) == "host.pressure_missing");
  CHECK(ofHost([](CheckUp& up) { up.clock_synchronised = false; }) == "host.clock_unsynchronised");
  CHECK(ofHost([](CheckUp& up) { up.kvm = false; }) == "host.kvm_unusable");
  CHECK(ofHost([](CheckUp& up) { up.vms[0].shared_disks = true; }) == "host.disk_locks_missing");
  CHECK(ofHost([](CheckUp& up) { up.store_error = "the disk is full"; }) == "host.store_degraded");
  CHECK(ofHost([](CheckUp& up) { up.damaged = 1; }) == "host.store_damaged");
  CHECK(ofHost([](CheckUp& up) { up.rows_lost = 1; }) == "host.store_lost");
  CHECK(ofHost([](CheckUp& up) { up.peers[0].answers = false; }) == "host.peer_silent");
  CHECK(ofHost([](CheckUp& up) { up.peers[0].host = kHost; }) == "host.peer_id_taken");
  CHECK(ofHost([](CheckUp& up) { up.peers.push_back({"gamma", kBeta, true, kNow, ""}); }) ==
        "host.peer_id_taken");
  CHECK(ofHost([](CheckUp& up) { up.host_faults = {"host.cgroup is not there"}; }) ==
        "host.setting");
}

TEST_CASE("what is not known of the host is no finding") {
  auto up = well();
  up.clock_synchronised.reset();
  up.kvm.reset();
  up.disk_locks.reset();
  up.vms[0].shared_disks = true;
  up.missed_beats = 4;
  CHECK(diagnose(up).empty());
}

TEST_CASE("the worst comes first, then the host, then by kind and name, the same each time") {
  auto up = well();
  up.pressure = false;
  up.vms = {seen(3, "c"), seen(2, "b"), seen(1, "a")};
  up.vms[0].agent.state = AgentLink::State::refused;
  up.vms[1].vm.balloon_period_s = 0;
  up.vms[2].vm.balloon_period_s = 0;
  up.vms[2].agent.agent_version = "0.1.0";
  const auto expected =
      std::vector<std::string>{"vm.agent_refused", "host.pressure_missing", "vm.balloon_silent",
                               "vm.balloon_silent", "vm.agent_old"};
  CHECK(kinds(up) == expected);
  CHECK(diagnose(up)[2].entity_name == "a");
  std::ranges::reverse(up.vms);
  CHECK(kinds(up) == expected);
  CHECK(diagnose(up)[2].entity_name == "a");
}

TEST_CASE("a hostile name stays out of commands and of the terminal") {
  auto up = well();
  up.vms[0].vm.name = "$(reboot)\x1b";
  up.vms[0].vm.balloon_period_s = 0;
  up.vms[0].agent.state = AgentLink::State::refused;
  up.vms[0].agent.reason = "\x1b[2J";
  for (const auto& finding : diagnose(up)) {
    CHECK(finding.command.find('$') == std::string::npos);
    CHECK((finding.what + finding.command + finding.remedy).find('\x1b') == std::string::npos);
  }
}

TEST_CASE("a VM that runs on two hosts is found, whichever host it is asked on") {
  auto up = well();
  Uuid elsewhere;
  elsewhere.bytes[15] = 77;
  up.duplicates = {{elsewhere, "db", {"beta", "gamma\x1b"}, kNow}};
  const auto finding = only(up);
  CHECK(finding.kind == "vm.duplicate");
  CHECK(finding.severity == Severity::error);
  CHECK(finding.entity == elsewhere);
  CHECK(finding.what ==
        "beta and gamma\\x1b say that it runs on them, since 2026-01-31T08:05:00.000Z");
}
