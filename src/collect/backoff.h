#pragma once

#include <algorithm>

#include "base/time.h"

namespace virtseer::collect {

/// Growing pauses between attempts: `first`, then `second`, then twice the last, at most `most`.
class Backoff {
 public:
  Backoff(Millis first, Millis second, Millis most)
      : first_(std::min(first, most)), second_(std::min(second, most)), most_(most) {}

  Millis next() {
    if (last_ == Millis(0))
      last_ = first_;
    else if (last_ == first_ && second_ > first_)
      last_ = second_;
    else
      last_ = std::min(most_, 2 * last_);
    return last_;
  }
  void reset() { last_ = Millis(0); }

 private:
  Millis first_, second_, most_;
  Millis last_{0};
};

}  // namespace virtseer::collect
