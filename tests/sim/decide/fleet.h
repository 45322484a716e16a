#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "decide/planner.h"
#include "decide/reservations.h"
#include "model/host_state.h"
#include "model/plan.h"

namespace virtseer::sim {

/// Cores wanted at a number of seconds since the story began.
using Want = std::function<double(double)>;

inline Want steady(double cpus) {
  return [cpus](double) { return cpus; };
}
/// From `before` to `after` cores in a straight line between two times.
Want ramp(double before, double after, double from_s, double to_s);

constexpr std::uint64_t kGiB = 1ULL << 30;

/// Hosts, VMs that want something at every time, and moves that take time, under a virtual clock.
/// Forecasts are the truth with a few per cent of noise. Whoever moves asks the target's ledger.
class Fleet {
 public:
  struct Arrival {
    double at_s;
    std::string vm;
    std::string from;
    std::string to;
  };

  Fleet();

  HostState& addHost(const std::string& name, double cpus, std::uint64_t memory = 64 * kGiB);
  PlacedVm& addVm(const std::string& name, const std::string& host, Want want,
                  std::uint64_t memory = 2 * kGiB);
  HostState& host(const std::string& name);
  PlacedVm& vm(const std::string& name);
  /// The name of the host that a VM runs on.
  std::string where(const std::string& vm) const;

  /// One round: plans on what is seen now, carries out what is executable, advances the clock by
  /// one round. With `self` only that host's planner thinks.
  Plan round(const std::string& self = "");
  /// As many rounds as fit into a time; the last plan.
  Plan run(Millis time);
  /// The same view without acting or remembering.
  Plan think();

  void advance(Millis time);
  /// A person ends the move of a VM that is under way.
  void abort(const std::string& vm);
  /// The daemon's memory is gone; what is written down with the VMs stays.
  void restartDaemon() { states_.clear(); }
  /// True if the VMs of a host want more than it has, now.
  bool isShort(const std::string& host) const;
  /// Whether a forecast is made for a VM; default yes.
  void forget(const std::string& vm) { unforeseen_[vm] = true; }

  FleetView view(const std::string& self = "") const;
  Timestamp now() const { return now_; }
  double seconds() const;

  Millis forecast_step = std::chrono::seconds(5);  ///< forecasts reach 24 of them
  decide::PlannerRules rules;
  PolicyConfiguration configuration;
  /// A host whose state is no longer renewed.
  std::map<std::string, Timestamp> last_heard;
  std::map<std::string, decide::Ledger> ledgers;
  std::vector<Arrival> arrivals;
  std::vector<PlanStep> ordered;
  std::size_t refused = 0;  ///< orders that a ledger said no to

 private:
  struct Move {
    Flight flight;
    Timestamp started;
    Timestamp ends;
    bool automatic;
  };
  void begin(const PlanStep& step);
  void land();
  double wanted(const std::string& vm, Timestamp at) const;
  HostRoom room(const HostState& host) const;

  Timestamp start_;
  Timestamp now_;
  std::vector<HostState> hosts_;
  std::map<std::string, Want> wants_;
  std::map<std::string, bool> unforeseen_;
  std::vector<Move> moves_;
  std::map<std::string, decide::PlannerState> states_;  ///< by the planner's host
  std::uint8_t last_uuid_ = 0;
  std::uint64_t last_operation_ = 0;
};

}  // namespace virtseer::sim
