#include "daemon/contention_watch.h"

namespace virtseer::daemon {
namespace {

constexpr double kRelieved = 0.5;

}  // namespace

std::optional<ContentionWatch::Change> ContentionWatch::take(std::optional<double> delay_cores,
                                                             double capacity, Timestamp now) {
  if (!delay_cores || !(capacity > 0)) return std::nullopt;
  const double limit = share_ * capacity;
  const bool speaks = contended_ ? *delay_cores < kRelieved * limit : *delay_cores >= limit;
  if (!speaks) {
    rounds_ = 0;
    return std::nullopt;
  }
  if (rounds_++ == 0) first_ = now;
  if (rounds_ < needed_) return std::nullopt;
  rounds_ = 0;
  contended_ = !contended_;
  since_ = first_;
  return Change{contended_, since_};
}

std::optional<Timestamp> ContentionWatch::since() const {
  if (!contended_) return std::nullopt;
  return since_;
}

}  // namespace virtseer::daemon
