#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "base/time.h"

namespace virtseer::decide {

/// How much each part of a host's score counts.
struct ScoreWeights {
  double contention = 0.45;  ///< certainty that the host does not run short with the VM there
  double headroom = 0.25;    ///< cores left on average
  double memory = 0.15;      ///< memory left
  double cost = 0.10;        ///< a quick move
  double calm = 0.05;        ///< no other moves there

  bool operator==(const ScoreWeights&) const = default;
};

/// What the planner goes by; every value is configuration.
struct PlannerRules {
  /// Contention is foreseen where the probability that demand exceeds `full` times the capacity
  /// reaches `threshold`, to begin where that lasts for `lasting`, and acted upon if that is at
  /// most `act_within` away.
  double threshold = 0.5;
  double full = 1.0;
  Millis lasting{0};  ///< rounded up to whole steps of the scenarios
  Millis act_within = std::chrono::minutes(30);

  double target_limit = 0.2;  ///< highest probability of contention at the target, with the VM
  double margin = 0.2;        ///< least share of the shortage that a move must take away
  ScoreWeights weights;
  double cost_weight = 0.3;      ///< of the move's length against relief
  double priority_weight = 0.3;  ///< of the VM's priority against relief
  double balance_weight = 0.1;   ///< of evenly used hosts against relief

  Millis round = std::chrono::seconds(5);    ///< rounds much closer together count as one
  std::uint32_t hold_rounds = 3;             ///< contention must have been foreseen in so many
  std::uint32_t quiet_rounds = 6;            ///< nothing is carried out in so many after a start
  Millis settle = std::chrono::seconds(60);  ///< after a move both hosts are only watched

  Millis cooldown = std::chrono::minutes(15);  ///< of a VM after a move; doubles with each
  Millis cooldown_longest = std::chrono::hours(24);
  Millis cycle_window = std::chrono::hours(24);  ///< moves this old are forgotten

  std::uint32_t in_flight = 2;           ///< moves at once, in the fleet
  std::uint32_t in_flight_per_host = 1;  ///< in and out
  std::uint32_t per_hour = 6;            ///< begun by virtseer, in the fleet, but for maintenance

  Millis stale_after = std::chrono::seconds(30);  ///< information about a host
  double link_bytes_per_s = 100e6;                ///< where a host says nothing
  Millis downtime_limit{300};

  std::size_t shortlist = 16;    ///< hosts judged in full per VM; the rest by free cores
  std::size_t candidates = 8;    ///< VMs judged in full per host
  std::size_t rejections = 256;  ///< kept in a plan
  std::size_t steps = 32;        ///< kept in a plan

  bool operator==(const PlannerRules&) const = default;
};

/// Refuses what contradicts itself, with the name of the value.
Result<> check(const PlannerRules& rules);

}  // namespace virtseer::decide
