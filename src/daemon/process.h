#pragma once

#include <cstdint>

namespace virtseer::daemon {

/// CPU seconds, user and system, that this process has used (getrusage(2)).
double processCpuSeconds();

/// Resident bytes of this process (/proc/self/statm); 0 where that cannot be read.
std::uint64_t processRssBytes();

}  // namespace virtseer::daemon
