#include "daemon/contention_watch.h"

namespace virtseer::daemon {
namespace {

constexpr double kRelieved = 0.5;  ///< of what must be waited for
constexpr double kRoom = 0.9;      ///< of the cores: so much wanted at most is no contention

}  // namespace

std::optional<ContentionWatch::Change> ContentionWatch::take(std::optional<Measure> measure,
                                                             double capacity, Timestamp now) {
  if (!measure || !(capacity > 0)) return std::nullopt;
  const double wanted = (measure->used + measure->waited) / capacity;
  const double waited = measure->waited / capacity;
  const bool speaks =
      contended_ ? waited < kRelieved * share_ || wanted < kRoom : waited >= share_ && wanted >= 1;
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
