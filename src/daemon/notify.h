#pragma once

#include <optional>
#include <string>

#include "base/time.h"

namespace virtseer::daemon {

/// Tells the service manager, if there is one (sd_notify(3)): e.g. "READY=1", "STOPPING=1",
/// "STATUS=...". Never fails; without a manager it does nothing.
void notifyManager(const std::string& state);

/// How often the manager wants to hear WATCHDOG=1 at least; absent if it does not watch.
std::optional<Millis> watchdogInterval();

}  // namespace virtseer::daemon
