#pragma once

#include <cstdint>
#include <ctime>

namespace virtseer::agent {

/// CLOCK_MONOTONIC in milliseconds: the clock of every echo and every wait.
inline std::int64_t monoMs() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

}  // namespace virtseer::agent
