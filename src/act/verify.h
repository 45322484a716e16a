#pragma once

#include <optional>
#include <string>

#include "act/operations.h"
#include "base/time.h"
#include "model/hand_over.h"
#include "model/operation.h"

namespace virtseer::act {

/// What is known of a VM that is watched after its move.
struct WatchView {
  std::optional<Wellbeing> before;  ///< at the source, before anything was done
  std::optional<RemoteVm> now;      ///< at the destination; absent: its daemon is silent
  Millis elapsed{0};                ///< since the watch began, or since the VM was started again
  Millis silent{0};                 ///< since the destination last answered
  Millis still{0};                  ///< for how long its vCPUs have stood still
  bool revived = false;             ///< it died there and was started once more
  bool may_share = false;  ///< the host that it left was to be emptied: any other was good enough

  bool operator==(const WatchView&) const = default;
};

enum class WatchAct : std::uint8_t {
  go_on,
  held,       ///< the watch is over and the VM does no worse than before
  failed,     ///< it runs there, and not well
  died,       ///< it crashed there, or went off by nobody's wish
  shut_down,  ///< somebody shut it down there: there is nothing more to watch
  silent,     ///< the destination does not answer: nothing is known
  elsewhere,  ///< the destination does not know it: where it is must be found out again
};
std::string_view name(WatchAct act);

struct WatchJudgement {
  WatchAct act = WatchAct::go_on;
  std::string words;
};

/// Whether a VM does as well at its destination as it did before: heard again, running, delayed no
/// more, without I/O errors. What is not known is not held against it.
WatchJudgement judge(const WatchView& view, const MigrationRules& rules);

/// The share of what its vCPUs want that they wait for, 0 to 1; absent if it is unknown or the VM
/// wants next to nothing.
std::optional<double> delayShare(const Wellbeing& wellbeing);

}  // namespace virtseer::act
