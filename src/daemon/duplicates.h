#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "fleet/peers.h"
#include "model/doctor.h"
#include "model/event.h"
#include "model/host_state.h"

namespace virtseer::daemon {

/// Notices VMs that several hosts say run on them: two copies of one VM, or two VMs that were given
/// one UUID. While a VM moves it runs on one host at a time, but a host may tell so much later: it
/// counts once two of them say so as of `kHold` after it was noticed, which is longer than a host
/// whose libvirt is silent passes for one that knows. What a host said that long ago says nothing
/// any more. Daemons that share a host's UUID count as one.
///
/// Events: `vm.duplicate` (error) and `vm.duplicate_over`; field `hosts`.
class Duplicates {
 public:
  static constexpr Millis kHold{180'000};

  /// What hosts say now; returns what is to be reported.
  std::vector<Event> take(const HostState& own, const std::vector<fleet::PeerState>& peers,
                          Timestamp now);

  /// Those that count, by name.
  std::vector<Duplicate> found() const;

 private:
  struct Known {
    Duplicate duplicate;
    bool counts = false;
  };
  std::map<Uuid, Known> known_;
};

/// "web runs on alpha and beta at once ...", and what to do.
std::string sentence(const Duplicate& duplicate);

}  // namespace virtseer::daemon
