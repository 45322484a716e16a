#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/time.h"
#include "model/scenarios.h"

namespace virtseer::daemon {

/// The horizons that a plan rests on, shortest first: the shortest one that covers `act_within`
/// (the longest where none does), since what comes later is not acted upon yet, and all shorter
/// ones, since they see a new ramp sooner.
std::vector<Millis> planHorizons(std::vector<Millis> horizons, Millis act_within);

/// One set of scenarios out of those of several horizons, `sets` by length, shortest first.
///
/// Shape and grid are the longest one's. Within the length of a shorter horizon its values stand
/// (mean over the cells that fall into a step): it sees a ramp that has just begun some ten cells
/// after the beginning, when the longer one still takes it for noise. Beyond its end the longer
/// one's paths go on, moved so that their mean continues at the level that the shorter one's mean
/// has reached. So contention is looked for once, on one grid, with the best that is known about
/// each distance; planning on each horizon for itself would give as many plans and holds, and a
/// target judged on the short one alone may run short right after it.
///
/// Measured with horizons of 1 and 4 min on ramps to a limit 1.5 cores away: from how long before
/// the limit on contention was foreseen without a break, joined / longer alone / shorter alone:
/// 0.25 cores/min 267/268/50 s, 0.5: 88/88/56 s, 1: 43/10/33 s, 1.5: 37/0/37 s.
///
/// Path p of one horizon is joined to path p of the next: within each of them all VMs keep their
/// common rhythm. A VM that only a shorter horizon knows stays at the last value there. Demand
/// stays within 0 and the highest value of the VM in any of the sets.
Scenarios joinHorizons(std::span<const Scenarios> sets);

/// Adds a column that wants the same on every path and step.
void addFlat(Scenarios& scenarios, const Uuid& uuid, double demand);

/// The same with as few of the first paths as `most_values` allows, at least one.
Scenarios thinned(const Scenarios& scenarios, std::size_t most_values);

}  // namespace virtseer::daemon
