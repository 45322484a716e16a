#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "decide/doctor.h"
#include "decide/enroll.h"
#include "decide/words.h"
#include "model/host_state.h"

namespace virtseer::decide {
namespace {

using std::chrono::seconds;

/// A guest's clock may be off by this much, or by this much more, which is worse.
constexpr Millis kClockOff{2'000};
constexpr Millis kClockFarOff{60'000};
/// The balloon's figures may be three periods old, and this much more.
constexpr Millis kBalloonGrace{30'000};
/// An agent that is connected may be silent for this many of its intervals.
constexpr int kMissedEchoes = 6;
constexpr std::size_t kMostSources = 8;
/// An agent may send one faulty frame beside so many echoes: a stray one is forgotten in time.
constexpr std::uint64_t kEchoesPerFault = 100;
// What an agent says of a source that it is not to read, or cannot read wholly (agent/sampler.h).
constexpr std::string_view kNotAskedFor = "not asked for";
constexpr std::string_view kInPart = "in part: ";

class VmFindings {
 public:
  VmFindings(const CheckedVm& vm, std::vector<Finding>& out)
      : vm_(vm), out_(out), name_(commandName(vm.vm.name, vm.vm.uuid)) {}

  void add(Severity severity, std::string kind, std::string what, std::string means,
           std::string remedy, std::string command = "") {
    out_.push_back({severity, std::move(kind), vm_.vm.uuid, vm_.vm.name, std::move(what),
                    std::move(means), std::move(remedy), std::move(command)});
  }
  /// As a shell takes it.
  const std::string& name() const { return name_; }

 private:
  const CheckedVm& vm_;
  std::vector<Finding>& out_;
  const std::string name_;
};

constexpr const char* kBlind =
    "what goes on inside is not seen: processes, file systems, logs, "
    "waits, services";

std::string ago(Millis span) {
  return fmt::format("{} ago", decide::span(span));
}

/// It has a way to the daemon, and its agent does not use it.
void silent(const CheckUp& up, const CheckedVm& vm, VmFindings& found) {
  const auto& agent = vm.agent;
  const bool calls = !vm.vm.has_channel;
  const auto command = fmt::format("virtseer {} {}{}", calls ? "vm" : "enroll", found.name(),
                                   calls ? "" : " --dry-run");
  if (agent.last_echo) {
    found.add(Severity::error, "vm.agent_silent",
              fmt::format("its agent was heard last {}",
                          ago(std::max(Millis(0), up.now - *agent.last_echo))),
              kBlind,
              calls
                  ? "see in the guest whether the agent runs and reaches this host: journalctl -u "
                    "virtseer-agent"
                  : "see in the guest whether the agent runs: systemctl status virtseer-agent",
              command);
    return;
  }
  if (calls) {
    found.add(
        Severity::warning, "vm.agent_silent",
        "it has a token, and its agent has not called since the daemon runs", kBlind,
        "see whether this host listens (echo.listen_tls, echo.listen_vsock), and in the guest "
        "whether the agent runs and reaches it: journalctl -u virtseer-agent",
        command);
    return;
  }
  found.add(Severity::warning, "vm.agent_silent",
            fmt::format("it has the channel, and no agent ever answered{}{}",
                        agent.reason.empty() ? "" : ": ", printable(agent.reason)),
            kBlind,
            "install and start the agent in the guest: apt-get install ./virtseer-agent_*.deb",
            command);
}

/// True if the agent is heard, whatever it says.
bool link(const CheckUp& up, const CheckedVm& vm, VmFindings& found) {
  const auto& agent = vm.agent;
  if (agent.state == AgentLink::State::refused) {
    found.add(Severity::error, "vm.agent_refused",
              fmt::format("its agent is refused: {}", printable(agent.reason)), kBlind,
              "look at the reason: where it names a protocol, install an agent of this daemon's "
              "version in the guest; otherwise see what runs there as virtseer-agent, and whether "
              "anything else writes to its port",
              fmt::format("virtseer vm {}", found.name()));
    return false;
  }
  if (agent.state == AgentLink::State::connected) {
    const auto interval = Millis(agent.interval_ms.value_or(5000));
    const auto age = agent.last_echo ? up.now - *agent.last_echo : Millis(0);
    if (age <= kMissedEchoes * interval + seconds(10)) return true;
    found.add(Severity::warning, "vm.agent_stalled",
              fmt::format("its agent is connected, and its last echo came {}", ago(age)), kBlind,
              "see whether the guest gets CPU time, and whether the agent there is stopped",
              fmt::format("virtseer vm {}", found.name()));
    return false;
  }
  if (!vm.vm.has_channel && !vm.token) {
    found.add(Severity::warning, "vm.channel_missing",
              "it has no echo channel, and no agent reaches this daemon by another way", kBlind,
              isContainer(vm.vm)
                  ? "enroll it over TLS (echo.listen_tls): containers have no channel"
                  : "enroll it: the channel is added while it runs",
              enrollCommand(vm.vm));
    return false;
  }
  silent(up, vm, found);
  return false;
}

/// "0.2.10" in its numbers; what is no number counts as 0.
std::array<unsigned, 3> version(std::string_view text) {
  std::array<unsigned, 3> out{};
  for (auto& number : out) {
    const auto part = text.substr(0, text.find('.'));
    std::from_chars(part.data(), part.data() + part.size(), number);
    text.remove_prefix(std::min(text.size(), part.size() + 1));
  }
  return out;
}

void agent(const CheckUp& up, const CheckedVm& vm, VmFindings& found) {
  const auto& agent = vm.agent;
  if (!agent.agent_version.empty() && version(agent.agent_version) < version(up.version))
    found.add(Severity::info, "vm.agent_old",
              fmt::format("its agent is of version {}, this daemon of {}",
                          label(agent.agent_version), up.version),
              "what newer agents tell is not told", "install the newer agent in the guest");
  const auto hypervisor = name(vm.vm.role);
  if (!agent.role.empty() && agent.role != hypervisor)
    found.add(Severity::warning, "vm.role_mismatch",
              fmt::format("its agent takes it for {}, the hypervisor says {}", label(agent.role),
                          hypervisor),
              "the agent may do synthetic work in a guest in production, or refuse it in a lab's",
              "set the fw_cfg entry opt/org.virtseer/role in its definition, and restart it");
  std::vector<std::string> missing;
  for (const auto& [source, why] : agent.sources)
    if (why != "on" && why != kNotAskedFor && missing.size() < kMostSources)
      missing.push_back(why.starts_with(kInPart)
                            ? fmt::format("{} in part ({})", label(source),
                                          printable(std::string_view(why).substr(kInPart.size())))
                            : fmt::format("{} off ({})", label(source), printable(why)));
  if (!missing.empty())
    found.add(Severity::info, "vm.sources_off",
              fmt::format("sources of its agent do not tell all: {}", fmt::join(missing, "; ")),
              "what these would tell is missing",
              "give the agent's service in the guest what the reasons name",
              fmt::format("virtseer vm {}", found.name()));
  if (agent.lost > 0)
    found.add(Severity::info, "vm.echoes_lost",
              fmt::format("{} echoes of its agent were lost", agent.lost), "its history has holes",
              "none is needed if it was away for long: its ring is bounded",
              fmt::format("virtseer vm {}", found.name()));
  if (agent.faults > agent.echoes / kEchoesPerFault)
    found.add(Severity::warning, "vm.agent_faulty",
              fmt::format("{} frames of its agent were faulty, beside {} echoes", agent.faults,
                          agent.echoes),
              "the agent is broken, or something else writes to its port",
              "see what runs in the guest as virtseer-agent",
              fmt::format("virtseer events --vm {} --kind agent.", found.name()));
}

void balloon(const CheckUp& up, const CheckedVm& vm, VmFindings& found) {
  const char* means =
      "from outside its memory is seen as a whole only: what it could give is not "
      "known";
  if (!vm.vm.balloon_period_s) {
    if (vm.vm.environment.starts_with("qemu"))
      found.add(Severity::info, "vm.balloon_missing", "it has no memory balloon", means,
                "add <memballoon model='virtio'/> to its definition and restart it",
                fmt::format("virsh edit {}", found.name()));
    return;
  }
  if (*vm.vm.balloon_period_s == 0) {
    found.add(Severity::warning, "vm.balloon_silent",
              "the statistics period of its memory balloon is 0", means,
              "set the period, or libvirt.balloon_period, which sets it for all",
              fmt::format("virsh dommemstat {} --period 5 --live{}", found.name(),
                          vm.vm.persistent ? " --config" : ""));
    return;
  }
  const auto patience = 3 * Millis(seconds(*vm.vm.balloon_period_s)) + kBalloonGrace;
  const auto age = vm.balloon_updated ? std::optional(up.now - *vm.balloon_updated) : std::nullopt;
  if (!vm.balloon_updated && up.now - up.started < patience) return;
  if (age && *age <= patience) return;
  found.add(Severity::warning, "vm.balloon_stale",
            age ? fmt::format("the driver of its memory balloon reported last {}", ago(*age))
                : std::string("the driver of its memory balloon has never reported"),
            means, "load virtio_balloon in the guest: modprobe virtio_balloon",
            fmt::format("virsh dommemstat {}", found.name()));
}

void inside(const CheckedVm& vm, VmFindings& found) {
  if (vm.vm.has_guest_agent && !vm.guest_silent.empty())
    found.add(
        Severity::info, "vm.guest_agent_silent",
        fmt::format("qemu-guest-agent does not answer: {}", printable(vm.guest_silent)),
        "its operating system, file systems and clock are not seen from outside",
        "install and start it in the guest: apt-get install qemu-guest-agent",
        fmt::format("virsh qemu-agent-command {} '{{\"execute\":\"guest-ping\"}}'", found.name()));
  // What it said before it fell silent is too old to judge by.
  if (!vm.guest_silent.empty() || !vm.guest || !vm.guest->clock_offset) return;
  const auto off =
      *vm.guest->clock_offset < Millis(0) ? -*vm.guest->clock_offset : *vm.guest->clock_offset;
  if (off - vm.guest->clock_error <= kClockOff) return;
  found.add(off - vm.guest->clock_error > kClockFarOff ? Severity::error : Severity::warning,
            "vm.clock_off",
            fmt::format("its clock is {} {} the host's", span(off),
                        *vm.guest->clock_offset < Millis(0) ? "behind" : "ahead of"),
            "times in its logs do not fit the host's; certificates and tickets may fail there",
            "run an NTP client in the guest", fmt::format("virsh domtime {} --now", found.name()));
}

/// What is written in its definition and not understood holds virtseer, and a person, back.
void policy(const CheckedVm& vm, VmFindings& found) {
  if (vm.policy_fault.empty()) return;
  found.add(
      Severity::warning, "vm.policy_unreadable",
      fmt::format("the policy in its metadata is not understood: {}", printable(vm.policy_fault)),
      "it is only observed, and nobody moves it by virtseer",
      "correct it: virsh metadata with https://virtseer.org/ns/1 as --uri",
      fmt::format("virtseer policy show {}", found.name()));
}

}  // namespace

void diagnoseVm(const CheckUp& up, const CheckedVm& vm, std::vector<Finding>& out) {
  if (!runs(vm.vm.state)) return;
  VmFindings found(vm, out);
  if (link(up, vm, found)) agent(up, vm, found);
  balloon(up, vm, found);
  inside(vm, found);
  policy(vm, found);
  if (vm.timed_out)
    found.add(Severity::warning, "vm.statistics_stale",
              "the hypervisor is too busy with it to tell its figures",
              "what is shown of it from outside is what was known last",
              "see which job runs on it, and end it if it hangs",
              fmt::format("virsh domjobinfo {}", found.name()));
  if (vm.vm.emulated && up.kvm.value_or(false))
    found.add(Severity::info, "vm.emulated", "it is emulated (type 'qemu') though KVM is there",
              "it is slow, and sees no steal", "use <domain type='kvm'> in its definition",
              fmt::format("virsh edit {}", found.name()));
}

}  // namespace virtseer::decide
