#include "decide/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "decide/words.h"

namespace virtseer::decide {
namespace {

/// What happens in this share of all rounds of statistics happens often, and this often at least.
constexpr double kOftenShare = 0.01;
constexpr std::uint64_t kOftenLeast = 5;

/// Fills in what all findings of the host have in common.
class HostFindings {
 public:
  HostFindings(const CheckUp& up, std::vector<Finding>& out) : up_(up), out_(out) {}

  void add(Severity severity, std::string kind, std::string what, std::string means,
           std::string remedy, std::string command = "") {
    out_.push_back({severity, std::move(kind), up_.host, up_.host_name, std::move(what),
                    std::move(means), std::move(remedy), std::move(command)});
  }

 private:
  const CheckUp& up_;
  std::vector<Finding>& out_;
};

/// How many rounds of statistics there were since the start.
double rounds(const CheckUp& up) {
  const auto interval = std::max<std::int64_t>(up.interval.count(), 1);
  return std::max(
      1.0, static_cast<double>((up.now - up.started).count()) / static_cast<double>(interval));
}

/// So many of them that it is worth a word.
bool isOften(const CheckUp& up, std::uint64_t times) {
  return times >= kOftenLeast && static_cast<double>(times) / rounds(up) >= kOftenShare;
}

void environments(const CheckUp& up, HostFindings& found) {
  for (const auto& environment : up.environments) {
    const auto uri = label(environment.uri);
    if (!environment.connected) {
      found.add(Severity::error, "host.libvirt_lost",
                fmt::format("{} is not connected: {}", uri, printable(environment.error)),
                "its VMs are not seen from outside, and nothing can be done to them",
                "see whether libvirt runs, and whether the daemon's user may connect",
                "systemctl status libvirtd virtqemud");
      continue;
    }
    if (!environment.no_actions.empty())
      found.add(
          Severity::error, "host.libvirt_read_only",
          fmt::format("{} lets virtseer read only: {}", uri, printable(environment.no_actions)),
          "agents cannot be heard over their channels, and no VM can be enrolled or moved",
          "let the daemon's user manage libvirt: install the polkit rule "
          "60-virtseer.rules, or the example for fine-grained access",
          "ls /usr/share/polkit-1/rules.d/60-virtseer.rules && journalctl -u polkit -n 20");
    if (isOften(up, environment.calls_timed_out))
      found.add(Severity::warning, "host.libvirt_slow",
                fmt::format("{} calls of {} took too long since the start",
                            environment.calls_timed_out, uri),
                "figures come late or not at all",
                "see what keeps libvirt busy, or give its calls more time (libvirt.call_deadline)",
                "virtseer status");
    if (environment.calls_stuck > 0)
      found.add(Severity::warning, "host.libvirt_stuck",
                fmt::format("{} calls of {} do not return", environment.calls_stuck, uri),
                "what they ask for is shown as it was last", "see which job libvirt waits for",
                "journalctl -u libvirtd -u virtqemud -n 50");
  }
}

void statistics(const CheckUp& up, HostFindings& found) {
  if (isOften(up, up.missed_beats))
    found.add(
        Severity::warning, "host.statistics_late",
        fmt::format("{} rounds of statistics ({}) did not come in time", up.missed_beats,
                    percent(std::min(static_cast<double>(up.missed_beats) / rounds(up), 1.0))),
        "figures of VMs have gaps",
        "give libvirt time: a longer libvirt.interval, fewer "
        "other clients",
        "virtseer status");
  if (!up.pressure)
    found.add(Severity::warning, "host.pressure_missing",
              "the kernel tells no pressure stalls (/proc/pressure)",
              "how long tasks of this host wait for CPU, memory and disks is not seen",
              "boot it with the kernel parameter psi=1", "cat /proc/pressure/cpu");
  for (const auto& fault : up.host_faults)
    found.add(Severity::warning, "host.setting", printable(fault),
              "what it sets is not so: figures of this host may be wrong, or agents not heard",
              "do what it says, or correct the configuration", "virtseer config check");
}

void machine(const CheckUp& up, HostFindings& found) {
  if (up.clock_synchronised == false)
    found.add(Severity::warning, "host.clock_unsynchronised",
              "the host's clock is not synchronised with any server",
              "times of this host and of its peers cannot be compared, and guests' clocks are "
              "judged by a wrong one",
              "run an NTP client", "timedatectl set-ntp true");
  const bool wanted = std::ranges::any_of(
      up.vms, [](const CheckedVm& each) { return each.vm.environment.starts_with("qemu"); });
  if (up.kvm == false && wanted)
    found.add(Severity::info, "host.kvm_unusable", "libvirt offers no KVM on this host",
              "VMs are emulated: they are slow, and see no steal",
              "switch virtualization on in the firmware and load the module",
              "modprobe kvm_intel || modprobe kvm_amd");
  const bool shared =
      std::ranges::any_of(up.vms, [](const CheckedVm& each) { return each.shared_disks; });
  if (up.disk_locks == false && shared)
    found.add(Severity::warning, "host.disk_locks_missing",
              "VMs have shared disks, and no lock manager guards them",
              "two hosts can write to one disk at once if something goes wrong; virtseer moves "
              "such VMs by a person's order only",
              "set up virtlockd with a lockspace on shared storage: lock_manager = \"lockd\"",
              "grep lock_manager /etc/libvirt/qemu.conf");
}

void store(const CheckUp& up, HostFindings& found) {
  if (!up.store_error.empty())
    found.add(Severity::error, "host.store_degraded", printable(up.store_error),
              "what is measured now is kept in memory only, and history is not served",
              "make room, or see what is wrong with the disk", "virtseer status; df -h");
  if (up.damaged > 0)
    found.add(Severity::warning, "host.store_damaged",
              fmt::format("{} pieces of the store are damaged", up.damaged),
              "history has holes there", "see what is wrong with the disk", "virtseer status");
  if (up.rows_lost + up.events_lost > 0)
    found.add(Severity::warning, "host.store_lost",
              fmt::format("{} rows and {} events could not be kept since the start", up.rows_lost,
                          up.events_lost),
              "history has holes",
              "give the store more memory (store.max_unwritten) or a faster "
              "disk",
              "virtseer status");
}

/// A peer that says it is `other`, which another daemon is.
void idTaken(const CheckedPeer& peer, const std::string& other, HostFindings& found) {
  found.add(Severity::error, "host.peer_id_taken",
            fmt::format("{} says that it is the host {}, and so does {}", label(peer.name),
                        peer.host->text(), other),
            "both count as one host: no VM moves between them, and what is asked about that host "
            "may be asked of the wrong one",
            "if it is this host itself, or one that is named twice, take it out of [[peers]]; see "
            "that its url leads to the host that is meant; if one of them was cloned from the "
            "other, set host_uuid there (libvirtd.conf or virtqemud.conf) to what uuidgen "
            "says, and restart libvirt and virtseer",
            "virsh capabilities | grep -m1 '<uuid>'");
}

void peers(const CheckUp& up, HostFindings& found) {
  std::map<Uuid, std::string> hosts{{up.host, "this one"}};
  for (const auto& peer : up.peers) {
    if (peer.host) {
      const auto [same, fresh] = hosts.try_emplace(*peer.host, label(peer.name));
      if (!fresh) idTaken(peer, same->second, found);
    }
    if (peer.answers) continue;
    const auto since = peer.heard ? fmt::format("since {}", rfc3339(*peer.heard))
                                  : std::string("since this daemon started");
    found.add(Severity::warning, "host.peer_silent",
              fmt::format("the daemon of {} does not answer {}{}{}", label(peer.name), since,
                          peer.error.empty() ? "" : ": ", printable(peer.error)),
              "no VM moves there or comes from there",
              "see whether that host is up, and whether url and token_file of the peer are right",
              "virtseer hosts");
  }
}

void duplicates(const CheckUp& up, std::vector<Finding>& out) {
  for (const auto& one : up.duplicates) {
    out.push_back(
        {Severity::error, "vm.duplicate", one.vm, one.name,
         fmt::format("{} say that it runs on them, since {}", hostsText(one), rfc3339(one.since)),
         "two copies on one disk destroy what is on it; neither is moved by itself",
         "look at both at once: if they are copies of one VM, end the one that users do not reach "
         "(virsh destroy there); if they are two VMs, one was defined with the other's UUID: shut "
         "it down, and define it anew without <uuid>",
         fmt::format("virsh dominfo {0} && virsh domblklist {0}", one.vm.text())});
  }
}

}  // namespace

void diagnoseHost(const CheckUp& up, std::vector<Finding>& out) {
  HostFindings found(up, out);
  environments(up, found);
  statistics(up, found);
  machine(up, found);
  store(up, found);
  peers(up, found);
  duplicates(up, out);
}

std::string hostsText(const Duplicate& duplicate) {
  return printable(fmt::format("{}", fmt::join(duplicate.hosts, " and ")));
}

std::vector<Finding> diagnose(const CheckUp& up) {
  std::vector<Finding> out;
  diagnoseHost(up, out);
  for (const auto& vm : up.vms) diagnoseVm(up, vm, out);
  // What is true sorts behind what is false: the host's own come first.
  const auto rank = [&](const Finding& finding) {
    return std::tuple(-static_cast<int>(finding.severity), finding.entity != up.host, finding.kind,
                      finding.entity_name, finding.what);
  };
  std::ranges::sort(out, {}, rank);
  return out;
}

}  // namespace virtseer::decide
