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
    left_ = left(now);
    filled_ = std::max(filled_, now);
    if (amount > left_) return false;
    left_ -= amount;
    return true;
  }

  /// How much may be taken at once now.
  double left(Instant now) const {
    if (now <= filled_ || filled_ == Instant{}) return left_;
    return std::min(burst_, left_ + rate_ * std::chrono::duration<double>(now - filled_).count());
  }

 private:
  double rate_;
  double burst_;
  double left_;
  Instant filled_{};
};

}  // namespace virtseer::collect
