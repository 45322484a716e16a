#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/backend.h"
#include "collect/dirty_rates.h"
#include "collect/emulator_watch.h"
#include "collect/guest_survey.h"
#include "collect/libvirt_collector.h"
#include "daemon/config.h"
#include "platform/environment.h"

namespace virtseer::daemon {

/// A virtualization environment with all that collects from it. Loop thread.
struct Place {
  std::unique_ptr<platform::Environment> environment;
  std::unique_ptr<collect::LibvirtCollector> collector;
  std::unique_ptr<collect::GuestSurvey> guests;
  std::unique_ptr<collect::DirtyRates> dirty_rates;

  /// Adds what asks guests and measures their memory; the values join the collector's rows.
  void addWatchers(const Clock& clock, const Config& config);
  /// Spawns all of it, the environment's own coroutine among them.
  void start(TaskGroup& tasks);
  /// The environment's VMs, as the collector listed them.
  void listed(const std::vector<Vm>& vms);
};

/// The environment behind a URI; null: none of these.
platform::Environment* environmentOf(const std::vector<Place>& places, const std::string& uri);

/// What the qemu-guest-agent of a VM says, in whichever environment the VM is.
collect::GuestSurvey::View guestOf(const std::vector<Place>& places, const Uuid& vm);

/// Has the kernel count what the VMs' processes do: values of VMs join the rows of `places`, which
/// outlive it, those of the host go to `host`. Null: the configuration does not want it.
std::unique_ptr<collect::EmulatorWatch> watchEmulators(
    const Clock& clock, BlockingPool& pool, const Config& config, const std::vector<Place>& places,
    std::function<void(std::span<const collect::NamedValue>)> host);
/// What it knows of a VM; nothing where there is none.
collect::EmulatorWatch::View emulatorOf(const collect::EmulatorWatch* emulators, const Uuid& vm);

/// What the collectors did not get or could not keep, together.
collect::CollectCounts countsOf(const std::vector<Place>& places);
/// Whether the hypervisor's figures of a VM are the last known ones.
bool timedOut(const std::vector<Place>& places, const Uuid& vm);
std::vector<api::EnvironmentHealth> healthOf(const std::vector<Place>& places);

}  // namespace virtseer::daemon
