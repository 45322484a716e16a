#include "decide/enroll.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "decide/words.h"
#include "virtseer/echo/wire.h"

namespace virtseer::decide {
namespace {

/// Where nobody says which.
constexpr std::uint32_t kVsockPort = 8687;

std::string where(const Affects& affects) {
  if (affects.live && affects.config) return "the running VM and its definition";
  return affects.live ? "the running VM" : "its definition";
}

Check driver(const EnrollFacts& facts, const EnrollWish& wish) {
  if (wish.remove)
    return {"driver", true, fmt::format("libvirt's driver is {}", label(facts.driver))};
  if (facts.driver == "LXC" && wish.way == EchoWay::channel)
    return {"driver", false,
            "it is a container, which has no virtio channel: enroll it with --tls ADDRESS:PORT"};
  if (facts.driver == "LXC" && wish.way == EchoWay::vsock)
    return {"driver", false, "it is a container, which has no vsock device: enroll it with --tls"};
  return {"driver", true, fmt::format("libvirt's driver is {}", label(facts.driver))};
}

Check state(const EnrollFacts& facts, const EnrollWish& wish) {
  if (!facts.live && !facts.config) return {"state", false, "libvirt has no definition of it"};
  if (facts.presence.state == Presence::State::incoming)
    return {"state", false, "it is just coming from another host: enroll it once it runs"};
  if (wish.next_start && !facts.config)
    return {"state", false, "it is transient: there is no next start of it"};
  if (facts.live && facts.config) return {"state", true, "it runs and has a definition"};
  return {"state", true, facts.live ? "it runs and is transient" : "it is off"};
}

/// A move takes the definition along and puts it back: a change in between would be lost.
Check operation(const EnrollFacts& facts) {
  if (facts.operation.empty()) return {"operation", true, "virtseer does nothing with it"};
  return {"operation", false,
          fmt::format("{}: try again once it has ended", printable(facts.operation))};
}

std::string_view words(Presence::Job job) {
  switch (job) {
    case Presence::Job::migration_out:
      return "a migration to another host";
    case Presence::Job::migration_in:
      return "a migration to this host";
    default:
      return "a backup or another job";
  }
}

Check job(const EnrollFacts& facts) {
  if (facts.presence.job == Presence::Job::none) return {"job", true, "no job runs on it"};
  return {"job", false,
          fmt::format("{} runs on it, its devices cannot be changed now: try again once it has "
                      "ended",
                      words(facts.presence.job))};
}

Check policy(const EnrollFacts& facts) {
  if (!facts.metadata) return {"policy", true, "its metadata says nothing against it"};
  if (!facts.metadata->fault.empty())
    return {"policy", false,
            fmt::format("the policy in its metadata is not understood ({}), so that it is only "
                        "observed: correct it first",
                        printable(facts.metadata->fault))};
  if (!facts.metadata->enroll.value_or(true))
    return {"policy", false, "its own metadata forbids it (enroll=\"no\")"};
  return {"policy", true, "its metadata says nothing against it"};
}

/// Machines whose devices are all there from the start.
Check machine(const EnrollFacts& facts) {
  const bool fixed = facts.machine.starts_with("isapc") || facts.machine == "none" ||
                     facts.machine.starts_with("microvm");
  if (fixed)
    return {
        "machine", false,
        fmt::format("a {} takes and gives no device while it runs: shut it off first, or change "
                    "its definition alone with --next-start",
                    label(facts.machine))};
  return {"machine", true,
          facts.machine.empty()
              ? "its machine type is not known"
              : fmt::format("a {} takes devices while it runs", label(facts.machine))};
}

Check free(const EnrollFacts& facts) {
  const auto taken = [](const std::optional<EnrollSide>& side) { return side && side->name_taken; };
  const std::string_view channel = echo::kChannelName;
  if (taken(facts.live) || taken(facts.config))
    return {"name", false,
            fmt::format("it has a channel {} that is no UNIX socket of libvirt's (type='unix', a "
                        "virtio target): take it away first",
                        channel)};
  return {"name", true, fmt::format("no other channel is called {}", channel)};
}

/// libvirt plugs a channel into a controller that is there, and no controller into a running VM.
Check port(const EnrollFacts& facts) {
  if (facts.live && facts.live->port_free) return {"port", true, "a virtio-serial port is free"};
  const auto vm = commandName(facts.name, facts.vm);
  return {"port", false,
          fmt::format("the running VM has no free virtio-serial port, and a controller cannot be "
                      "plugged in: enroll it for its next start ('virtseer enroll {} "
                      "--next-start'), then shut it off and start it",
                      vm)};
}

EnrollStep channelStep(const EnrollFacts& facts, const EnrollWish& wish) {
  const bool wanted = !wish.remove;
  EnrollStep step{EnrollStep::Kind::channel, {}, true, ""};
  step.affects.live = facts.live && facts.live->channel != wanted && !wish.next_start;
  step.affects.config = facts.config && facts.config->channel != wanted;
  step.done = !step.affects.any();
  const std::string_view channel = echo::kChannelName;
  if (step.done)
    step.words = fmt::format("the channel {} is {}", channel, wanted ? "there" : "not there");
  else
    step.words = fmt::format("the channel {} {} {}", channel,
                             wanted ? "is added to" : "is taken from", where(step.affects));
  return step;
}

std::optional<EnrollStep> balloonStep(const EnrollFacts& facts, const EnrollWish& wish) {
  if (wish.remove || wish.balloon_period_s == 0) return std::nullopt;
  const auto silent = [](const std::optional<EnrollSide>& side) {
    return side && side->balloon_period_s == 0;
  };
  const auto has = [](const std::optional<EnrollSide>& side) {
    return side && side->balloon_period_s;
  };
  if (!has(facts.live) && !has(facts.config)) return std::nullopt;
  EnrollStep step{EnrollStep::Kind::balloon,
                  {.live = silent(facts.live) && !wish.next_start, .config = silent(facts.config)},
                  true,
                  ""};
  step.done = !step.affects.any();
  step.words = step.done ? "the balloon driver reports"
                         : fmt::format("the balloon driver's statistics period becomes {} s in {}",
                                       wish.balloon_period_s, where(step.affects));
  return step;
}

void addNotes(const EnrollFacts& facts, const EnrollWish& wish, EnrollPlan& plan) {
  if (!facts.managed_by.empty())
    plan.notes.push_back(
        fmt::format("{} manages this VM and may define it anew without the change: make it there "
                    "as well",
                    label(facts.managed_by)));
  if (wish.next_start && facts.live && facts.live->channel == wish.remove)
    plan.notes.push_back(
        "the running VM stays as it is: shut it off and start it, a reboot from inside is not "
        "enough");
  if (facts.live && !facts.config && wish.way == EchoWay::channel)
    plan.notes.push_back("it is transient: the change is gone when it ends");
  if (facts.saved && wish.way == EchoWay::channel)
    plan.notes.push_back(
        "it was saved and wakes up as it was then, without the change: do this again once it runs");
  if (wish.remove && wish.way == EchoWay::channel)
    plan.notes.push_back("the statistics of its balloon stay as they are");
  if (wish.way != EchoWay::channel && !wish.remove && !wish.listens)
    plan.notes.push_back(
        fmt::format("this host's daemon takes no calls of agents that way yet: set echo.listen_{} "
                    "in its configuration",
                    name(wish.way)));
  const auto side = facts.live ? facts.live : facts.config;
  if (wish.way == EchoWay::vsock && !wish.remove && side && !side->vsock)
    plan.notes.push_back(
        "it has no vsock device: add <vsock model='virtio'><cid auto='yes'/></vsock> to its "
        "definition and start it anew");
  if (!wish.remove && side && !side->balloon_period_s && facts.driver == "QEMU")
    plan.notes.push_back(
        "it has no memory balloon: its memory is seen by the agent alone, <memballoon "
        "model='virtio'/> in its definition would tell it from outside");
}

}  // namespace

EnrollPlan enrollPlan(const EnrollFacts& facts, const EnrollWish& wish) {
  EnrollPlan plan;
  plan.checks = {driver(facts, wish), state(facts, wish), operation(facts), job(facts)};
  // What forbids that the VM is heard does not forbid that it is left alone again.
  if (!wish.remove) plan.checks.push_back(policy(facts));
  if (wish.way == EchoWay::channel || wish.remove) {
    auto step = channelStep(facts, wish);
    if (step.affects.any() && !wish.remove) plan.checks.push_back(free(facts));
    if (step.affects.live) plan.checks.push_back(machine(facts));
    if (step.affects.live && !wish.remove) plan.checks.push_back(port(facts));
    // A container never has one: there is nothing to say of it.
    if (facts.driver != "LXC") plan.steps.push_back(std::move(step));
  }
  if (auto step = balloonStep(facts, wish)) plan.steps.push_back(std::move(*step));
  addNotes(facts, wish, plan);
  return plan;
}

std::vector<std::string> guestWords(const EnrollWish& wish, const std::string& token_file) {
  if (wish.remove) return {"the agent in the guest may stay, or go: apt-get remove virtseer-agent"};
  std::vector<std::string> out{
      "install the agent in the guest, if it is not there: apt-get install ./virtseer-agent_*.deb; "
      "where there is no package manager, copy the one static program virtseer-agent there and "
      "start it at boot"};
  if (wish.way == EchoWay::channel) {
    out.push_back("nothing is to be set: it finds the channel by itself, also while it runs");
    return out;
  }
  const auto server =
      wish.way == EchoWay::tls
          ? fmt::format("tls://{}", printable(wish.address))
          : fmt::format("vsock://2:{}", wish.address.empty() ? std::to_string(kVsockPort)
                                                             : printable(wish.address));
  out.push_back(fmt::format("put into /etc/virtseer-agent.conf: server = {}", server));
  if (wish.way == EchoWay::tls)
    out.push_back(
        "copy the certificate that signs the host's (echo.tls_certificate) into the guest and name "
        "it there: server_ca = /etc/virtseer-agent/ca.pem");
  out.push_back(
      fmt::format("copy the host's file {} into the guest, for root and the agent alone (chown "
                  "root:virtseer-agent, chmod 640), and name it there: token_file = "
                  "/etc/virtseer-agent/token",
                  token_file.empty() ? "with the token" : printable(token_file)));
  return out;
}

std::string enrollCommand(const Vm& vm) {
  return fmt::format("virtseer enroll {}{}", commandName(vm.name, vm.uuid),
                     isContainer(vm) ? " --tls ADDRESS:PORT" : "");
}

bool isContainer(const Vm& vm) {
  return vm.environment.starts_with("lxc");
}

std::string undoCommand(const EnrollFacts& facts, const EnrollWish& wish, bool token) {
  const auto vm = commandName(facts.name, facts.vm);
  const auto lacks = [](const std::optional<EnrollSide>& side) { return side && !side->channel; };
  const auto has = [](const std::optional<EnrollSide>& side) { return side && side->channel; };
  // Nothing brings back the same token.
  if (token) return "";
  // Taking back takes the channel from both definitions, whoever put it there.
  if (!wish.remove)
    return has(facts.live) || has(facts.config) ? ""
                                                : fmt::format("virtseer enroll {} --remove", vm);
  if (has(facts.config) && lacks(facts.live))
    return fmt::format("virtseer enroll {} --next-start", vm);
  if (!(has(facts.live) || has(facts.config)) || lacks(facts.live) || lacks(facts.config))
    return "";
  return fmt::format("virtseer enroll {}", vm);
}

}  // namespace virtseer::decide
