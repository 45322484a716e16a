#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace virtseer::daemon {

/// Tells whether a host is contended as measured: the vCPUs of its VMs wait together for at least
/// `share` of its cores, `rounds` in a row. It is relieved once they wait for less than half of
/// that, as many in a row; in between it stays as it was.
class ContentionWatch {
 public:
  ContentionWatch(double share, std::uint32_t rounds) : share_(share), needed_(rounds) {}

  struct Change {
    bool contended = false;
    Timestamp since;  ///< the first of these rounds
  };

  /// One round's measure, in cores; `delay_cores` is absent where nothing new was measured: such a
  /// round says nothing and breaks nothing. Returns what has changed, if it has.
  std::optional<Change> take(std::optional<double> delay_cores, double capacity, Timestamp now);

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
