#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "daemon/cpu_rows.h"
#include "store/series_store.h"
#include "virtseer/uuid.h"

namespace virtseer::daemon {

/// The CPU counters of one VM in the store, frozen: may be read on any thread.
struct HistoryQuery {
  Uuid vm;
  std::vector<Column> columns;                                   ///< as CpuColumns::all()
  std::vector<std::shared_ptr<const store::StreamView>> slices;  ///< oldest first
};

/// Chooses what to read of [from, to); absent if the store has nothing of this VM. Loop thread.
std::optional<HistoryQuery> prepareHistory(const store::SeriesStore& series, const Uuid& vm,
                                           Timestamp from, Timestamp to);

/// What the past of one VM says.
struct VmHistory {
  Uuid vm;
  std::vector<Point> demand;  ///< cores, oldest first
  VmCpu cpu;                  ///< goes on from the last row
};

/// Reads and folds; blocks.
Result<VmHistory> readHistory(const HistoryQuery& query);

}  // namespace virtseer::daemon
