#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/series.h"
#include "predict/demand_series.h"

namespace virtseer::daemon {

/// Columns of a VM's libvirt stream that hold its CPU counters.
struct CpuColumns {
  std::size_t known = 0;       ///< names that were looked at
  std::optional<Column> used;  ///< CPU time of the VM, seconds
  std::vector<Column> delays;  ///< time that each vCPU waited while it could run, seconds

  /// Looks at the names that are new since the last call.
  void look(std::span<const SeriesName> names);
  /// `used`, then `delays`; empty while there is no CPU time.
  std::vector<Column> all() const;
};

/// One row of a VM's CPU counters.
struct CpuReading {
  Timestamp time;
  double used_s = 0;
  std::optional<double> delay_s;  ///< sum over vCPUs; absent where the row has none
  std::size_t vcpus = 0;          ///< whose delay is in it
};

/// The rows of CpuColumns::all(), oldest first; those without CPU time are left out.
std::vector<CpuReading> joinCpu(std::span<const std::vector<Point>> columns);

/// A VM's counters as demand, row by row.
class VmCpu {
 public:
  /// What the VM wanted since the row before, in cores. A row that lacks the delay of some vCPUs
  /// (the VM was busy with a job) is passed over; after three of them in a row there are fewer
  /// vCPUs, and counting begins anew.
  std::optional<Point> take(const CpuReading& reading);

  /// Time of the newest row that was looked at.
  std::optional<Timestamp> last() const { return last_; }
  /// The newest demand that take() returned.
  const std::optional<Point>& demand() const { return demand_now_; }
  /// Cores that vCPUs waited for between the last two rows that had it.
  const std::optional<Point>& delay() const { return delay_now_; }

 private:
  predict::CpuDemand demand_;
  std::optional<Timestamp> last_;
  std::optional<Point> demand_now_, delay_now_;
  std::optional<Point> delay_sum_;  ///< seconds, of the row before
  std::size_t vcpus_ = 0;
  int lacking_ = 0;
};

}  // namespace virtseer::daemon
