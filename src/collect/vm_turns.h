#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer::collect {

/// How a coroutine of collecting waits: by a timer of the loop, or by a clock that a test turns.
using Pause = std::function<boost::asio::awaitable<void>(Millis)>;
boost::asio::awaitable<void> timerPause(Millis span);

/// Whose turn it is: each VM comes once per interval, all of them spread over it. Pure.
class VmTurns {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit VmTurns(Millis interval) : interval_(interval) {}

  /// The VMs that take turns from now on. A new one comes within an interval, at a time of its own.
  void set(const std::vector<Uuid>& vms, Time now);
  /// The VM that has waited longest beyond its time, if any; it is not named again before done().
  std::optional<Uuid> take(Time now);
  /// Its next turn comes `wait` from now.
  void done(Uuid vm, Time now, Millis wait);

 private:
  const Millis interval_;
  std::map<Uuid, Time> due_;
  std::set<Uuid> taken_;
};

}  // namespace virtseer::collect
