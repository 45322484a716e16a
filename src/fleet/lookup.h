#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <vector>

#include "base/pool.h"
#include "fleet/address.h"

namespace virtseer::fleet {

using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;
using Deadline = std::chrono::steady_clock::time_point;

/// What is left of the time until `deadline`; at least 1 ms.
Millis left(Deadline deadline);

/// Names to addresses. A name server that does not answer holds a thread of a bounded pool, never
/// the loop and never longer than the caller's deadline. Loop thread.
class Lookup {
 public:
  explicit Lookup(boost::asio::any_io_executor loop)
      : pool_(std::move(loop), "names", {.threads = 2, .queue = 64, .abandoned = 4}) {}

  /// At least one endpoint. Code::unreachable: there is no such name, or too many lookups hang;
  /// Code::timeout.
  boost::asio::awaitable<Result<Endpoints>> find(Address address, Deadline deadline);

 private:
  BlockingPool pool_;
};

}  // namespace virtseer::fleet
