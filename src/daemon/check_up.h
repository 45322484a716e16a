#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "collect/guest_survey.h"
#include "daemon/backend.h"
#include "daemon/config.h"
#include "model/doctor.h"
#include "platform/environment.h"

namespace virtseer::daemon {

/// Where the doctor's values come from; all of it outlives the call.
struct CheckUpSources {
  const Clock& clock;
  const Config& config;
  DaemonBackend& backend;
  Host host;
  std::vector<platform::Environment*> environments;
  std::vector<std::string> host_faults;
  std::vector<fleet::PeerState> peers;
  std::vector<Duplicate> duplicates;
  std::function<collect::GuestSurvey::View(Uuid vm)> guest;
};

/// Gathers what the doctor looks at; asks libvirt whether it lets the daemon act. What the planner
/// knows of disks is left to the caller. Loop thread.
boost::asio::awaitable<CheckUp> checkUp(CheckUpSources sources);

}  // namespace virtseer::daemon
