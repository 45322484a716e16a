#include "daemon/notify.h"

#include <systemd/sd-daemon.h>

namespace virtseer::daemon {

void notifyManager(const std::string& state) {
  sd_notify(0, state.c_str());
}

std::optional<Millis> watchdogInterval() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0 || microseconds == 0) return std::nullopt;
  return Millis(std::max<std::uint64_t>(1, microseconds / 1000));
}

}  // namespace virtseer::daemon
