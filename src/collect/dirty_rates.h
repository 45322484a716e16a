#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/task_group.h"
#include "base/time.h"
#include "collect/stream_writer.h"
#include "collect/vm_turns.h"
#include "model/machine.h"
#include "platform/environment.h"

namespace virtseer::collect {

/// Measures now and then how fast each running VM writes its memory, one VM after the other, and
/// none on which a job runs: what a live move of it will take. A VM whose emulator cannot is left
/// alone until it starts anew. Loop thread; the environment outlives it.
class DirtyRates {
 public:
  using Values = std::function<void(Uuid vm, std::span<const NamedValue>)>;

  /// `period`: of one VM; 0: nothing is measured.
  DirtyRates(const Clock& clock, platform::Environment& environment, Millis period, Values values,
             Pause pause = timerPause);

  /// Spawns its coroutine in `tasks`; once.
  void start(TaskGroup& tasks);
  /// The environment's VMs, as listed last.
  void setVms(const std::vector<Vm>& vms);
  /// Bytes per second, unless the last measure is older than three periods.
  std::optional<double> of(Uuid vm) const;

 private:
  struct Measure {
    double bytes_per_s = 0;
    std::chrono::steady_clock::time_point when;
  };

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> measure(Uuid vm);
  void leaveAlone(Uuid vm, const Error& why);

  const Clock& clock_;
  platform::Environment& environment_;
  const Millis period_;
  const Values values_;
  const Pause pause_;
  VmTurns turns_;
  std::map<Uuid, Measure> measures_;
  std::set<Uuid> unsupported_;  ///< cannot be measured since they run
  bool told_ = false;           ///< that there are such
};

}  // namespace virtseer::collect
