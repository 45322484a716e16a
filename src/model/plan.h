#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/policy.h"
#include "virtseer/uuid.h"

namespace virtseer {

/// How short of CPU a host is foreseen to run.
struct Contention {
  double probability = 0;       ///< highest of any step that demand exceeds capacity, 0 to 1
  std::optional<Millis> until;  ///< from now until it begins: see decide::assess
  double probability_then = 0;  ///< in that step
  bool already = false;         ///< that step is the present one
  double shortage_cpus = 0;     ///< cores that are wanted and not there, mean over paths and steps
  double mean_cpus = 0;         ///< cores wanted, mean over paths and steps

  bool operator==(const Contention&) const = default;
};

/// One VM's part of what is wanted and not there.
struct VmShare {
  Uuid vm;
  std::string vm_name;
  double share = 0;      ///< 0 to 1
  double mean_cpus = 0;  ///< what it wants

  bool operator==(const VmShare&) const = default;
};

/// A host as one round saw it.
struct HostOutlook {
  Uuid host;
  std::string name;
  double capacity_cpus = 0;
  Contention contention;
  std::vector<VmShare> shares;    ///< largest first, only where contention is foreseen
  std::uint32_t held_rounds = 0;  ///< for how many rounds contention has been foreseen
  std::uint32_t vms_running = 0;
  /// Of these, those that count with what they want now, since nothing is foreseen of them yet.
  std::uint32_t vms_unforeseen = 0;
  bool maintenance = false;
  std::string unusable;  ///< why neither its VMs nor its room count: silent, stale, nonsense

  bool operator==(const HostOutlook&) const = default;
};

/// Why a VM stays or a host is not taken.
enum class Refusal : std::uint8_t {
  // of the VM
  not_running,
  shadow,
  job,
  device,
  managed,
  policy,
  in_flight,
  cooldown,
  no_forecast,
  twice,
  // of the host
  same_host,
  maintenance,
  silent,
  stale,
  nonsense,
  memory,
  vcpus,
  cpu,
  cpu_way_back,
  machine_type,
  storage,
  network,
  no_convergence,
  left_recently,
  contended,
  fewer_cores,  ///< not looked at, since others have more free cores
  unknown,      ///< not part of the fleet
  // of the pair
  no_relief,
  helps_less,   ///< than the VM that is moved
  lower_score,  ///< than the host that is taken
};
std::string_view name(Refusal refusal);

/// A condition that is not met.
struct Exclusion {
  Refusal why = Refusal::policy;
  std::string words;    ///< with numbers
  std::string would;    ///< what would have to be otherwise; empty: nothing sensible
  bool advice = false;  ///< a person may decide otherwise

  bool operator==(const Exclusion&) const = default;
};

/// One part of a host's score: `value` is 0 to 1, better is more; it counts `weight` times.
struct ScorePart {
  std::string name;
  double weight = 0;
  double value = 0;
  std::string words;

  bool operator==(const ScorePart&) const = default;
};

/// What a move takes.
struct MoveCost {
  std::uint64_t memory_bytes = 0;  ///< sent, with what is written again meanwhile
  std::uint64_t disk_bytes = 0;    ///< copied
  Millis duration{0};
  Millis downtime{0};  ///< a figure only where the dirty rate is known
  bool converges = true;
  bool dirty_rate_known = false;  ///< else the guest is taken to write nothing

  bool operator==(const MoveCost&) const = default;
};

/// One host as a place for one VM.
struct RankedHost {
  Uuid host;
  std::string name;
  bool current = false;  ///< where the VM is: its score is that of staying
  std::vector<Exclusion> excluded;
  double score = 0;  ///< sum of weight times value
  std::vector<ScorePart> parts;
  Contention before;
  Contention after;  ///< with the VM there
  MoveCost cost;

  /// True if nothing speaks against it.
  bool fits() const { return excluded.empty() && !current; }
  bool operator==(const RankedHost&) const = default;
};

/// All hosts as places for one VM: those that fit by score, then the present one, then the rest.
struct Ranking {
  Uuid vm;
  std::string vm_name;
  Timestamp made;
  std::vector<Exclusion> stays;  ///< why the VM itself may not move
  std::vector<RankedHost> hosts;

  bool operator==(const Ranking&) const = default;
};

enum class StepCause : std::uint8_t { contention, maintenance };
std::string_view name(StepCause cause);

enum class StepState : std::uint8_t {
  due,      ///< now; `executable` says whether virtseer may carry it out
  holding,  ///< contention has not been foreseen for long enough
  waiting,  ///< a cap or the quiet time after a start holds it back
};
std::string_view name(StepState state);

/// One proposed move.
struct PlanStep {
  std::string id;  ///< the plan's id and a number
  StepState state = StepState::due;
  StepCause cause = StepCause::contention;
  Uuid vm;
  std::string vm_name;
  Uuid from;
  std::string from_name;
  Uuid to;
  std::string to_name;
  Contention from_before;
  Contention from_after;
  Contention to_before;
  Contention to_after;
  double relief = 0;  ///< share of the source's shortage that goes away, less what the target gains
  MoveCost cost;
  double score = 0;  ///< of the target
  std::vector<ScorePart> parts;
  double cpus = 0;  ///< to reserve at the target
  std::uint64_t memory_bytes = 0;
  Mode mode = Mode::observe;  ///< the VM's, as resolved
  bool executable = false;    ///< due, `auto`, and nothing in policy speaks against it
  std::string held_back;      ///< why it is not executable
  std::vector<std::string> reasons;
  std::vector<std::string> counterfactuals;

  bool operator==(const PlanStep&) const = default;
};

/// Something that was looked at and not chosen.
struct Rejection {
  std::optional<Uuid> vm;
  std::string vm_name;
  std::optional<Uuid> host;
  std::string host_name;
  Refusal why = Refusal::policy;
  std::string words;
  std::string would;

  bool operator==(const Rejection&) const = default;
};

/// The answer of one round.
struct Plan {
  std::string id;
  Timestamp made;
  std::uint64_t round = 0;  ///< since the daemon started
  bool stopped = false;     ///< the global stop holds
  std::string verdict;      ///< one sentence
  std::vector<PlanStep> steps;
  std::vector<HostOutlook> hosts;
  std::vector<Rejection> rejected;
  std::size_t rejected_more = 0;  ///< left out, since the list is bounded
  std::vector<std::string> reasons;
  std::vector<std::string> counterfactuals;

  bool operator==(const Plan&) const = default;
};

}  // namespace virtseer
