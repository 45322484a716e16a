#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collect/dirty_rates.h"
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

}  // namespace virtseer::daemon
