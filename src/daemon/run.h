#pragma once

#include "daemon/config.h"

namespace virtseer::daemon {

/// Runs the daemon until SIGTERM or SIGINT; returns an exit code (api/exit_codes.h). Blocks.
int runDaemon(Config config);

}  // namespace virtseer::daemon
