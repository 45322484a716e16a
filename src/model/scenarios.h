#pragma once

#include <cstddef>
#include <vector>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer {

/// Joint sample paths of the demand of several VMs for one resource: each path is one way in which
/// the next `steps` steps may go for all of them together, so sums over VMs keep their common
/// rhythm. Every path is equally likely.
struct Scenarios {
  Timestamp start;        ///< step k covers [start + k*step, start + (k+1)*step)
  Millis step{0};         ///< length of one step
  std::size_t steps = 0;  ///< per path
  std::size_t paths = 0;
  std::vector<Uuid> vms;      ///< the innermost index
  std::vector<float> demand;  ///< mean demand in a step, in the resource's unit: [path][step][vm]

  float at(std::size_t path, std::size_t at_step, std::size_t vm) const {
    return demand[(path * steps + at_step) * vms.size() + vm];
  }
  bool operator==(const Scenarios&) const = default;
};

}  // namespace virtseer
