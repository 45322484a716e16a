#include "daemon/check_up.h"

#include <sys/timex.h>
#include <unistd.h>

namespace virtseer::daemon {

namespace asio = boost::asio;

namespace {

/// Whether the kernel's clock follows a server (adjtimex(2)); absent: nobody says. A hardened unit
/// may not ask the kernel, but sees systemd-timesyncd's mark.
std::optional<bool> clockSynchronised() {
  timex state{};
  const int answer = ::adjtimex(&state);
  if (answer < 0)
    return ::access("/run/systemd/timesync/synchronized", F_OK) == 0 ? std::optional(true)
                                                                     : std::nullopt;
  return answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

/// Asking for a VM that is not there takes the connection that acts.
asio::awaitable<std::string> whyNoActions(platform::Environment& environment) {
  Uuid nobody;
  nobody.bytes.fill(0xff);
  const auto asked = co_await environment.actions().presence(nobody);
  co_return !asked && asked.error().code == Code::refused ? asked.error().message : std::string();
}

CheckedVm checked(const CheckUpSources& sources, api::VmView view) {
  CheckedVm out;
  const StreamId stream{view.vm.uuid, Source::libvirt};
  const auto updated =
      sources.backend.latestOf(stream, "libvirt_domain_memory_stats_last_update_timestamp_seconds");
  if (updated && *updated > 0 && *updated < 1e12)
    out.balloon_updated = Timestamp(Millis(static_cast<std::int64_t>(*updated * 1000)));
  auto guest = sources.guest(view.vm.uuid);
  out.guest = std::move(guest.facts);
  out.guest_silent = std::move(guest.silent);
  out.timed_out = view.timed_out;
  out.agent = std::move(view.agent);
  out.vm = std::move(view.vm);
  return out;
}

void addHealth(const api::Health& health, CheckUp& up) {
  up.started = health.started;
  up.version = health.version;
  up.store_error = health.store_error;
  up.damaged = health.damaged;
  up.rows_lost = health.overflow;
  up.events_lost = health.events_dropped;
  up.missed_beats = health.missed_beats;
}

}  // namespace

asio::awaitable<CheckUp> checkUp(CheckUpSources sources) {
  CheckUp up;
  up.host = sources.host.uuid;
  up.host_name = sources.host.name;
  up.kvm = sources.host.kvm;
  up.interval = sources.config.libvirt.interval;
  addHealth(sources.backend.health(), up);
  for (auto* environment : sources.environments) {
    const auto status = environment->status();
    CheckedEnvironment checked{.uri = status.uri,
                               .connected = status.connected,
                               .error = status.error,
                               .calls_stuck = status.calls_stuck,
                               .calls_timed_out = status.calls_timed_out,
                               .no_actions = {}};
    if (status.connected) checked.no_actions = co_await whyNoActions(*environment);
    up.environments.push_back(std::move(checked));
  }
  for (const auto& peer : sources.peers)
    up.peers.push_back({peer.name, peer.host, peer.answers, peer.heard, peer.error});
  up.duplicates = std::move(sources.duplicates);
  for (auto& view : sources.backend.vms(false)) up.vms.push_back(checked(sources, std::move(view)));
  up.host_faults = std::move(sources.host_faults);
  up.pressure = ::access("/proc/pressure/cpu", R_OK) == 0;
  up.clock_synchronised = clockSynchronised();
  up.now = sources.clock.wall();
  co_return up;
}

}  // namespace virtseer::daemon
