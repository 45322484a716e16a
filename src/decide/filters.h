#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "decide/rules.h"
#include "model/host_state.h"
#include "model/plan.h"

namespace virtseer::decide {

/// Why information about a host does not count, if it does not: silent daemon, old information,
/// figures that cannot be. Of a silent one nothing else is said: it may never have been heard.
std::vector<Exclusion> checkInformation(const HostState& host, const PlannerRules& rules,
                                        Timestamp now);

/// Why a VM itself may not move: its state, a job, devices, another balancer, policy. For
/// contention also what its cool-down says; a host that is emptied does not wait for that.
std::vector<Exclusion> checkVm(const PlacedVm& vm, const Policy& policy, StepCause cause,
                               const PlannerRules& rules, Timestamp now);

/// What the hard conditions say about one host as a place for one VM.
struct TargetCheck {
  std::vector<Exclusion> excluded;
  MoveCost cost;
  bool shared_disks = false;  ///< some disk stays where it is and is opened on both hosts
};

/// Hard conditions only: maintenance, information, memory, CPU both ways, machine type, storage,
/// networks, convergence, earlier attempts. A silent host is excluded for its silence alone,
/// without a cost. `free_memory` is the target's, with reservations and moves in flight taken off.
TargetCheck checkTarget(const PlacedVm& vm, const HostState& from, const HostState& to,
                        std::uint64_t free_memory, const Policy& policy, const PlannerRules& rules,
                        Timestamp now);

}  // namespace virtseer::decide
