#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "base/time.h"
#include "collect/collect_counts.h"
#include "collect/row_sink.h"
#include "collect/row_time.h"
#include "collect/stream_writer.h"
#include "collect/vm_watch.h"
#include "model/machine.h"
#include "platform/environment.h"

namespace virtseer::collect {

struct LibvirtCollectorOptions {
  Millis interval{5000};  ///< statistics of all VMs
  Millis relist{60'000};  ///< the list of VMs, even if no notice came
  Millis settle{200};     ///< notices of this long lead to one list together
  Millis retry{2000};     ///< after a list that failed
  std::uint32_t balloon_period_s =
      5;  ///< set on running VMs whose period is 0; 0: leave them alone
};

/// What the daemon is told. Loop thread; may call back into the collector.
struct LibvirtCollectorCallbacks {
  EventSink report;
  /// A new list of this environment's VMs: for the inventory and AgentLinks::setVms().
  std::function<void(const std::vector<Vm>&)> listed;
  /// The VM began or went on running: for AgentLinks::nudge(). May be empty.
  std::function<void(Uuid)> running;
  /// Every notice, after the collector took it. May be empty.
  std::function<void(const platform::Notice&)> notice;
};

/// Collects from one environment: statistics of all VMs at a steady beat, the list of VMs whenever
/// something changes, events, and the balloon driver's period. Rows go to {VM, Source::libvirt},
/// stamped with the wall clock on arrival. Each beat is stored once: one that is missed (a slow
/// call) is skipped. While an environment does not answer, VMs keep their last values in the store,
/// with the mark `timed_out`. A wall clock that was set back: see row_time.h. Loop thread only; the
/// environment must outlive the coroutines.
class LibvirtCollector {
 public:
  LibvirtCollector(boost::asio::any_io_executor loop, const Clock& clock,
                   platform::Environment& environment, LibvirtCollectorOptions options,
                   RowSink rows, LibvirtCollectorCallbacks callbacks);

  /// Spawns the environment's run() and the collector's own two coroutines in `tasks`; once. They
  /// run until `tasks` is cancelled. Do not spawn the environment's run() elsewhere.
  void start(TaskGroup& tasks);

  /// Values of a VM that came by another way than its statistics: they join its next row, the
  /// last one of each name, unless the VM or the connection ends before. The names live for as long
  /// as the VM is listed.
  void add(Uuid vm, std::span<const NamedValue> values);

  /// Another store serves: columns are declared again.
  void storeSwapped();

  /// VMs as last listed; kept while the environment does not answer.
  const std::vector<Vm>& vms() const { return vms_; }
  /// The hypervisor's figures of this VM are the last known ones: it was busy, or the call failed.
  bool timedOut(Uuid vm) const { return timed_out_.contains(vm); }

  const platform::Environment& environment() const { return environment_; }
  const CollectCounts& counts() const { return counts_; }

 private:
  boost::asio::awaitable<void> collect();
  boost::asio::awaitable<void> keepList();
  boost::asio::awaitable<void> setBalloonPeriods();
  boost::asio::awaitable<bool> waitForReason();
  void take(const platform::Notice& notice);
  void store(const std::vector<platform::VmStatistics>& statistics);
  void store(const platform::VmStatistics& vm, Timestamp now);
  void adopt(std::vector<Vm> vms);
  void report(Event event);

  const Clock& clock_;
  platform::Environment& environment_;
  const LibvirtCollectorOptions options_;
  const RowSink rows_;
  const LibvirtCollectorCallbacks callbacks_;
  VmWatch watch_;
  boost::asio::steady_timer beat_;
  boost::asio::steady_timer list_;
  bool list_wanted_ = false;
  std::vector<Vm> vms_;
  std::map<Uuid, StreamWriter> writers_;
  std::set<Uuid> timed_out_;
  std::set<Uuid> balloon_asked_;  ///< asked since the VM began to run
  std::map<Uuid, std::vector<NamedValue>> added_;
  std::vector<NamedValue> values_;
  CollectCounts counts_;
  StepBack step_back_;
};

}  // namespace virtseer::collect
