#pragma once

#include "model/scenarios.h"
#include "wire/read.h"

namespace virtseer::wire {

/// {start, step_ms, steps, paths, vms, demand}: demand in hundredths of a core, 16 bits each, in
/// the order of Scenarios::demand. What exceeds the bounds is left out: later steps, then paths,
/// each of which is as likely as another.
Json scenariosJson(const Scenarios& scenarios);
void takeScenarios(const Input& in, Scenarios& out, const Place& place, Fault& fault);

}  // namespace virtseer::wire
