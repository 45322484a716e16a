#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/pool.h"
#include "base/time.h"
#include "collect/emulator_probe.h"
#include "collect/vm_turns.h"
#include "model/machine.h"

namespace virtseer::collect {

/// Looks at a steady beat at what the kernel counted of the QEMU processes of this host's VMs, so
/// that a VM without an agent has a profile. Loop thread; looks run on `pool`, which outlives it.
class EmulatorWatch {
 public:
  /// More VMs than these are not counted.
  static constexpr std::size_t kMostVms = 500;

  struct Sinks {
    /// Gets a VM's values. The names live for ever, here and below.
    std::function<void(Uuid vm, std::span<const NamedValue>)> vm;
    /// Gets what counting costs, of the host.
    std::function<void(std::span<const NamedValue>)> host;
  };
  /// What is known of one VM's process.
  struct View {
    bool counted = false;
    std::string lacking;  ///< what is not counted, and why; empty: all is, or nothing is known yet
  };

  EmulatorWatch(const Clock& clock, BlockingPool& pool, std::shared_ptr<EmulatorProbe> probe,
                Millis interval, Sinks sinks, Pause pause = timerPause);

  /// Looks until cancelled; the first time at once.
  boost::asio::awaitable<void> run();
  /// An environment's VMs, as listed last. Only QEMU's are looked at, while they are active.
  void setVms(const std::string& environment, const std::vector<Vm>& vms);
  View view(const Uuid& vm) const;
  /// What this host lacks, and so each of its VMs; empty: nothing, as far as is known.
  const std::string& lacking() const { return failure_.empty() ? trouble_ : failure_; }
  /// Looks that took too long or failed.
  std::uint64_t missed() const { return missed_; }

 private:
  std::set<Uuid> wanted() const;
  boost::asio::awaitable<void> take(EmulatorLook look);
  void tellOnce(const std::string& trouble);

  const Clock& clock_;
  BlockingPool& pool_;
  const std::shared_ptr<EmulatorProbe> probe_;
  const Millis interval_;
  const Sinks sinks_;
  const Pause pause_;
  std::map<std::string, std::set<Uuid>> vms_;  ///< by environment
  std::set<Uuid> counted_;
  std::map<Uuid, std::string> lacking_;
  std::string failure_;
  std::string trouble_;
  std::string told_;
  std::uint64_t missed_ = 0;
};

}  // namespace virtseer::collect
