#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "model/scenarios.h"
#include "virtseer/uuid.h"

namespace virtseer::decide {

/// The paths and steps on which demands of all hosts are added up. Row r is path r / steps,
/// step r % steps; step 0 is the one that holds the present.
struct Grid {
  Timestamp start;
  Millis step{1000};
  std::size_t steps = 1;
  std::size_t paths = 1;

  std::size_t rows() const { return steps * paths; }
  bool operator==(const Grid&) const = default;
};

/// Demand of one VM or the sum over several, by row of a grid, in cores.
using Demand = std::vector<float>;

/// All scenarios of a fleet on one grid: that of the first set, begun at the present. Other sets
/// are read at the same time of the same path; where one has fewer paths they repeat, and where it
/// ends earlier its last step goes on. Values that are no demand (negative, not a number) count as
/// zero. Keeps references: the scenarios must live as long. A set whose size does not match its
/// shape is left out.
class DemandTable {
 public:
  static constexpr std::uint32_t kNowhere = 0xFFFFFFFF;
  static constexpr std::size_t kMostPaths = 1024;
  static constexpr std::size_t kMostSteps = 1024;

  DemandTable(std::span<const Scenarios> scenarios, Timestamp now);

  const Grid& grid() const { return grid_; }
  bool knows(const Uuid& vm) const { return places_.contains(vm); }

  /// One VM's demand; empty if unknown. O(rows).
  Demand column(const Uuid& vm) const;

  /// Demand of each of `hosts` hosts: the sum over the VMs that `host_of` puts there (kNowhere or
  /// absent: not counted). `means` gets the mean demand of every known VM. O(rows * VMs).
  std::vector<Demand> sums(const std::unordered_map<Uuid, std::uint32_t>& host_of,
                           std::size_t hosts, std::unordered_map<Uuid, double>& means) const;

 private:
  struct Set {
    const Scenarios* scenarios;
    std::vector<std::size_t> step_at;  ///< step of the grid -> step of the set
    std::vector<bool> counts;          ///< per VM: false where an earlier set has it too
  };
  struct Place {
    std::uint32_t set;
    std::uint32_t column;
  };
  void addUp(const Set& set, const std::unordered_map<Uuid, std::uint32_t>& host_of,
             std::vector<Demand>& out, std::unordered_map<Uuid, double>& means) const;
  const float* row(const Set& set, std::size_t path, std::size_t step) const;

  Grid grid_;
  std::vector<Set> sets_;
  std::unordered_map<Uuid, Place> places_;
};

}  // namespace virtseer::decide
