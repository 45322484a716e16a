#include <algorithm>
#include <catch2/catch.hpp>

#include "daemon/backend.h"

using namespace virtseer;
using namespace virtseer::daemon;

namespace {

Vm running() {
  Vm out;
  out.uuid.bytes[15] = 1;
  out.name = "web";
  out.state = VmState::running;
  out.balloon_period_s = 5;
  return out;
}

bool has(const std::vector<std::string>& list, std::string_view begin) {
  return std::ranges::any_of(list, [&](const auto& each) { return each.starts_with(begin); });
}

}  // namespace

TEST_CASE("a VM without a channel is told how to get one") {
  const auto inputs = inputsOf(running(), {}, true);
  REQUIRE(inputs.missing.size() == 1);
  CHECK(inputs.missing[0].find("virtseer enroll web") != std::string::npos);
  CHECK(inputs.present == std::vector<std::string>{"libvirt", "balloon"});
}

TEST_CASE("an agent that comes by another way needs no channel") {
  AgentLink agent;
  agent.state = AgentLink::State::connected;
  const auto inputs = inputsOf(running(), agent, true);
  CHECK(inputs.missing.empty());
  CHECK(has(inputs.present, "agent"));
}

TEST_CASE("a VM with nothing is told all that it lacks, each with what to do") {
  auto vm = running();
  vm.environment = "qemu:///system";
  vm.balloon_period_s.reset();
  const auto inputs = inputsOf(vm, {}, false);
  CHECK(inputs.present == std::vector<std::string>{"libvirt"});
  REQUIRE(inputs.missing.size() == 3);
  CHECK(has(inputs.missing, "balloon: the VM has none"));
  CHECK(has(inputs.missing, "agent: the VM has no channel"));
  CHECK(has(inputs.missing, "qemu-guest-agent: the VM has no channel"));
}

TEST_CASE("a VM with qemu-guest-agent alone is told that the agent is missing") {
  auto vm = running();
  vm.environment = "qemu:///system";
  vm.has_guest_agent = true;
  const auto inputs = inputsOf(vm, {}, true, {.facts = GuestFacts{}, .silent = ""});
  CHECK(inputs.present == std::vector<std::string>{"libvirt", "balloon", "qemu-guest-agent"});
  REQUIRE(inputs.missing.size() == 1);
  CHECK(has(inputs.missing, "agent: the VM has no channel"));
}

TEST_CASE("a container is sent to TLS") {
  auto vm = running();
  vm.environment = "lxc:///";
  const auto inputs = inputsOf(vm, {}, true);
  REQUIRE(inputs.missing.size() == 1);
  CHECK(inputs.missing[0].find("--tls") != std::string::npos);
}

TEST_CASE("a qemu-guest-agent is an input while it answers, and missed where it should") {
  auto vm = running();
  AgentLink agent;
  agent.state = AgentLink::State::connected;
  CHECK(inputsOf(vm, agent, true, {.facts = {}, .silent = "not connected"}).missing.empty());
  vm.has_guest_agent = true;
  const auto silent = inputsOf(vm, agent, true, {.facts = GuestFacts{}, .silent = "not connected"});
  CHECK_FALSE(has(silent.present, "qemu-guest-agent"));
  CHECK(has(silent.missing, "qemu-guest-agent: not connected"));
  const auto answers = inputsOf(vm, agent, true, {.facts = GuestFacts{}, .silent = ""});
  CHECK(has(answers.present, "qemu-guest-agent"));
  CHECK(answers.missing.empty());
}

TEST_CASE("what the kernel counts of a VM's process is an input, and why it does not is said") {
  auto vm = running();
  AgentLink agent;
  agent.state = AgentLink::State::connected;
  const auto counted = inputsOf(vm, agent, true, {}, {.counted = true, .lacking = ""});
  CHECK(has(counted.present, "emulator"));
  CHECK(counted.missing.empty());
  const auto partly =
      inputsOf(vm, agent, true, {}, {.counted = true, .lacking = "block: needs Linux 5.12"});
  CHECK(has(partly.present, "emulator"));
  CHECK(has(partly.missing, "emulator: block: needs Linux 5.12"));
  const auto refused = inputsOf(vm, agent, true, {},
                                {.counted = false, .lacking = "not permitted: CAP_BPF is missing"});
  CHECK_FALSE(has(refused.present, "emulator"));
  CHECK(has(refused.missing, "emulator: not permitted"));
  // Where it is not wanted nobody is told that it is missing.
  CHECK_FALSE(has(inputsOf(vm, agent, true).missing, "emulator"));
}
