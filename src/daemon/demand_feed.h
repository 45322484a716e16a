#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/cpu_rows.h"
#include "daemon/usage.h"
#include "model/forecast.h"
#include "store/series_store.h"

namespace virtseer::daemon {

/// What a VM asked of its host at a time.
struct Observation {
  Uuid vm;
  Resource resource = Resource::cpu;
  Timestamp time;
  double value = 0;
};

/// Reads what VMs ask for out of the rows in memory, each row once. Loop thread.
class DemandFeed {
 public:
  /// `window`: over which rates of disks and networks are taken, and how old a row may be that
  /// still tells how long vCPUs wait.
  explicit DemandFeed(Millis window) : window_(window) {}

  /// What one VM showed in a round.
  struct Seen {
    std::optional<double> cpu_cores;    ///< used, over the window
    std::optional<double> delay_cores;  ///< waited for, between the last two rows
    bool fresh = false;                 ///< there were new rows
  };

  /// Appends what is new of one VM: demand of CPU for each row, the other resources as of `now`.
  /// O(rows in the window); a few ten microseconds.
  Seen read(const store::SeriesStore& series, const Uuid& vm, Timestamp now,
            std::vector<Observation>& out);

  /// What the host uses itself: all that it uses less `vms_cores`; absent where it is not measured.
  std::optional<double> ownCpus(const store::SeriesStore& series, const Uuid& host, Timestamp now,
                                double vms_cores);

  bool knows(const Uuid& vm) const { return vms_.contains(vm); }
  /// Goes on where a history ended.
  void adopt(const Uuid& vm, VmCpu cpu);
  /// Cores that the VM wanted last; absent if it was not seen within the window.
  std::optional<double> demand(const Uuid& vm, Timestamp now) const;

  /// Forgets all other VMs.
  void keep(const std::unordered_set<Uuid>& vms);
  /// Another store serves: its columns are others.
  void forgetColumns();

 private:
  struct One {
    CpuColumns columns;
    VmCpu cpu;
  };
  Millis window_;
  UsageReader usage_;
  std::unordered_map<Uuid, One> vms_;
};

}  // namespace virtseer::daemon
