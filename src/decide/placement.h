#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "decide/contention.h"
#include "decide/demand.h"
#include "decide/rules.h"
#include "model/host_state.h"
#include "model/plan.h"

namespace virtseer::decide {

/// Where every VM of a fleet is or will be, with what that means for each host. VMs in flight count
/// for where they go, so does what a plan has already decided: the next thought builds on it.
/// Keeps references into the view, which must live as long. O(rows * VMs) to make.
class Placement {
 public:
  struct HostRow {
    const HostState* state = nullptr;
    std::vector<Exclusion> unusable;  ///< why neither its VMs nor its room count
    Demand sum;                       ///< cores wanted, by row
    Contention contention;
    std::uint64_t memory_free = 0;   ///< reservations and moves in flight taken off
    std::uint32_t in_flight = 0;     ///< moves under way, in and out
    std::vector<std::uint32_t> vms;  ///< that are on it now, by place in vms()
  };
  struct VmRow {
    const PlacedVm* vm = nullptr;
    std::uint32_t host = 0;  ///< where it runs
    double mean_cpus = 0;    ///< wanted, over the scenarios
    bool forecast = false;
    bool in_flight = false;  ///< also while it is verified where it came
    bool twice = false;      ///< two hosts say that it runs on them
  };

  /// `issued`: moves that were ordered and do not show in the view yet.
  Placement(const FleetView& view, std::span<const Flight> issued, const PlannerRules& rules,
            Timestamp now);

  const std::vector<HostRow>& hosts() const { return hosts_; }
  const std::vector<VmRow>& vms() const { return vms_; }
  const Grid& grid() const { return table_.grid(); }
  std::uint32_t inFlight() const { return in_flight_; }
  std::optional<std::uint32_t> host(const Uuid& uuid) const;
  std::optional<std::uint32_t> vm(const Uuid& uuid) const;
  /// True if the host tells of the VM: also as a copy that waits for its move to end.
  bool lists(std::uint32_t host, const Uuid& vm) const;

  /// What a VM wants, by row: flat where it has no forecast.
  const Demand& demand(std::uint32_t vm);
  /// The host as it would be if the VM came (sign 1) or went (sign -1).
  Contention with(std::uint32_t host, std::uint32_t vm, float sign);
  /// Takes a move as done.
  void move(std::uint32_t vm, std::uint32_t to);
  /// Counts a move that is to begin now.
  void countFlight(std::uint32_t from, std::uint32_t to);

 private:
  void list(const FleetView& view);
  void fly(const Uuid& vm, const Uuid& from, const Uuid& to);
  /// A move whose VM runs at its target, and which has not ended.
  void land(const Flight& flight);
  void count(VmRow& row, std::optional<std::uint32_t> source, std::optional<std::uint32_t> target);
  void addUp();
  void weigh(std::uint32_t host);
  double capacity(const HostRow& host) const;
  Limit limit(const HostRow& host) const;

  const PlannerRules& rules_;
  Timestamp now_;
  DemandTable table_;
  std::vector<HostRow> hosts_;
  std::vector<VmRow> vms_;
  std::vector<std::uint32_t> counts_for_;  ///< per VM: the host whose load it is, or kNowhere
  std::vector<Demand> demands_;            ///< per VM, filled when asked for
  std::unordered_map<Uuid, std::uint32_t> host_index_;
  std::unordered_map<Uuid, std::uint32_t> vm_index_;
  std::unordered_map<Uuid, std::vector<std::uint32_t>> listed_on_;
  std::uint32_t in_flight_ = 0;
};

}  // namespace virtseer::decide
