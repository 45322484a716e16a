#pragma once

#include "api/backend.h"
#include "store/series_store.h"

namespace virtseer::daemon {

/// What a VM uses, from the rows of the last `window` in memory: rates of counters over the window,
/// latest gauges. What no row says is absent. Memory used is total less available: from the guest,
/// else from the balloon driver (`usable` is the kernel's MemAvailable; `unused` would count its
/// cache as used).
api::VmUsage vmUsage(const store::SeriesStore& series, Uuid vm, Timestamp now, Millis window);

/// What this host uses, likewise. The sums over VMs are left to the caller.
api::HostUsage hostUsage(const store::SeriesStore& series, Uuid host, Timestamp now, Millis window);

}  // namespace virtseer::daemon
