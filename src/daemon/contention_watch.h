#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace virtseer::daemon {

/// Tells whether a host is contended as measured. It is contended when its VMs (CPU time and
/// waiting of their vCPUs together) and the host itself want at least the cores that it has, and
/// the VMs wait for at least `share` of these, `rounds` in a row. It is relieved once they wait for
/// less than half of that, or less than nine tenths of its cores are wanted, as many in a row; in
/// between it stays as it was. Forecasts know nothing of waiting: they name the time from when on
/// demand is likely to exceed the cores for as many rounds.
class ContentionWatch {
 public:
  ContentionWatch(double share, std::uint32_t rounds) : share_(share), needed_(rounds) {}

  struct Change {
    bool contended = false;
    Timestamp since;  ///< the first of these rounds
  };

  /// What the vCPUs of all VMs and the host itself used, and what the vCPUs waited for, in cores.
  struct Measure {
    double used = 0;
    double waited = 0;
  };

  /// One round's measure; absent where nothing new was measured: such a round says nothing and
  /// breaks nothing. `capacity` in cores. Returns what has changed, if it has.
  std::optional<Change> take(std::optional<Measure> measure, double capacity, Timestamp now);

  bool contended() const { return contended_; }
  /// Since when it is contended; absent: it is not.
  std::optional<Timestamp> since() const;

 private:
  double share_;
  std::uint32_t needed_;
  bool contended_ = false;
  Timestamp since_;
  std::uint32_t rounds_ = 0;  ///< that speak for a change
  Timestamp first_;           ///< of these
};

}  // namespace virtseer::daemon
