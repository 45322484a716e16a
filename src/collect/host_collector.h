#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "base/pool.h"
#include "base/time.h"
#include "collect/host_probe.h"
#include "collect/row_sink.h"

namespace virtseer::collect {

/// Looks at the host at a steady beat, on `pool` (some kernels take over a millisecond for some
/// files), and writes rows to {host, Source::host}. Loop thread only; `pool` must outlive run().
class HostCollector {
 public:
  /// `looked` gets each sample, for the host's capacity. It may be empty.
  HostCollector(boost::asio::any_io_executor loop, const Clock& clock, BlockingPool& pool,
                HostProbeOptions options, Millis interval, Uuid host, RowSink rows,
                std::function<void(const HostSample&)> looked);

  /// Looks until cancelled; the first time at once.
  boost::asio::awaitable<void> run();

  /// Another store serves: columns are declared again.
  void storeSwapped() { writer_.redeclare(); }

  /// Looks that failed or came too late.
  std::uint64_t missed() const { return missed_; }

 private:
  const Clock& clock_;
  BlockingPool& pool_;
  const std::shared_ptr<const HostProbe> probe_;
  const Millis interval_;
  const RowSink rows_;
  const std::function<void(const HostSample&)> looked_;
  StreamWriter writer_;
  boost::asio::steady_timer beat_;
  std::uint64_t missed_ = 0;
};

}  // namespace virtseer::collect
