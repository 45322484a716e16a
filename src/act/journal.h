#pragma once

#include <boost/asio/awaitable.hpp>
#include <vector>

#include "base/result.h"
#include "model/operation.h"

namespace virtseer::act {

/// Where operations are written down. Loop thread.
class Journal {
 public:
  virtual ~Journal() = default;
  /// Returns once this state of the operation is on the disk. Code::unreachable while the store on
  /// disk does not serve: then nothing may be begun.
  virtual boost::asio::awaitable<Result<void>> write(Operation operation) = 0;
  /// Takes one that ended long ago away.
  virtual void forget(const Operation& operation) = 0;
  /// All that were written, in no order.
  virtual std::vector<Operation> all() = 0;
};

}  // namespace virtseer::act
