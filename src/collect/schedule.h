#pragma once

#include <chrono>

#include "base/time.h"

namespace virtseer::collect {

/// When the next tick of a schedule `start`, `start + interval`, ... comes that is after `now`:
/// ticks that were missed are skipped, and delays do not add up.
inline std::chrono::steady_clock::time_point nextTick(std::chrono::steady_clock::time_point start,
                                                      Millis interval,
                                                      std::chrono::steady_clock::time_point now) {
  if (now < start) return start;
  return start + ((now - start) / interval + 1) * interval;
}

}  // namespace virtseer::collect
