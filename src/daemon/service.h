#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "base/time.h"
#include "daemon/config.h"

namespace virtseer::daemon {

/// The whole daemon on one loop: makes every part, names and owns every coroutine, timer and pool,
/// and takes them down in order. The loop outlives it.
class Service {
 public:
  Service(boost::asio::any_io_executor loop, const Clock& clock, Config config);
  ~Service();

  /// Opens the store, starts everything, and returns once stop() was called and all has ended in
  /// order. The result says why the daemon could not start (socket in use, ...).
  boost::asio::awaitable<Result<void>> run();

  /// Asks run() to end: requests are finished, links closed, rows flushed. Any number of times.
  void stop(std::string reason);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace virtseer::daemon
