#pragma once

#include <algorithm>
#include <chrono>

namespace virtseer::collect {

/// A limit on a rate that forgives bursts: `burst` at once, `rate` per second on average.
class TokenBucket {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  TokenBucket(double rate, double burst) : rate_(rate), burst_(burst), left_(burst) {}

  /// Takes `amount` if there is that much; false, and nothing taken, if there is not.
  bool take(double amount, Instant now) {
    if (now > filled_) {
      if (filled_ != Instant{})
        left_ =
            std::min(burst_, left_ + rate_ * std::chrono::duration<double>(now - filled_).count());
      filled_ = now;
    }
    if (amount > left_) return false;
    left_ -= amount;
    return true;
  }

 private:
  double rate_;
  double burst_;
  double left_;
  Instant filled_{};
};

}  // namespace virtseer::collect
