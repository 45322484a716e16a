#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "api/backend.h"
#include "store/series_store.h"

namespace virtseer::daemon {

/// Tells what VMs and hosts use, from the rows of the last `window` in memory: rates of counters
/// over the window, latest gauges. What no row says is absent. Memory used is total less available:
/// from the guest, else from the balloon driver (`usable` is the kernel's MemAvailable; `unused`
/// would count its cache as used). Remembers which columns matter, since a stream may have
/// thousands. Loop thread only.
class UsageReader {
 public:
  api::VmUsage vm(const store::SeriesStore& series, Uuid vm, Timestamp now, Millis window);

  /// What this host uses, likewise. The sums over VMs are left to the caller.
  api::HostUsage host(const store::SeriesStore& series, Uuid host, Timestamp now, Millis window);

  /// The balloon driver inside the VM has told its memory within the window.
  bool balloonReports(const store::SeriesStore& series, Uuid vm, Timestamp now, Millis window);

  /// Another store serves: its columns are others.
  void forget() { chosen_.clear(); }

 private:
  struct Chosen {
    std::size_t known = 0;  ///< columns of the stream that were looked at
    std::vector<Column> columns;
  };
  std::span<const Column> choose(const store::SeriesStore& series, StreamId stream);

  std::unordered_map<StreamId, Chosen> chosen_;
};

}  // namespace virtseer::daemon
