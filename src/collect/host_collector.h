#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/pool.h"
#include "base/time.h"
#include "collect/collect_counts.h"
#include "collect/host_probe.h"
#include "collect/row_sink.h"
#include "collect/row_time.h"

namespace virtseer::collect {

/// Looks at the host at a steady beat, on `pool` (some kernels take over a millisecond for some
/// files), and writes rows to {host, Source::host}. Loop thread only; `pool` must outlive run().
class HostCollector {
 public:
  /// `looked` gets each sample, for the host's capacity. `report` gets events: clock.stepped_back
  /// (see row_time.h). Both may be empty.
  HostCollector(boost::asio::any_io_executor loop, const Clock& clock, BlockingPool& pool,
                HostProbeOptions options, Millis interval, Uuid host, RowSink rows,
                std::function<void(const HostSample&)> looked, EventSink report = {});

  /// Looks until cancelled; the first time at once.
  boost::asio::awaitable<void> run();

  /// Values of the host that came by another way: they join its next row, the last one of each
  /// name. The names live for as long as this.
  void add(std::span<const NamedValue> values);

  /// Another store serves: columns are declared again.
  void storeSwapped() { writer_.redeclare(); }

  const CollectCounts& counts() const { return counts_; }

 private:
  void store(HostSample& sample);

  const Clock& clock_;
  BlockingPool& pool_;
  const std::shared_ptr<const HostProbe> probe_;
  const Millis interval_;
  const StreamId stream_;
  const RowSink rows_;
  const std::function<void(const HostSample&)> looked_;
  const EventSink report_;
  StreamWriter writer_;
  boost::asio::steady_timer beat_;
  std::vector<NamedValue> added_;
  CollectCounts counts_;
  StepBack step_back_;
};

}  // namespace virtseer::collect
