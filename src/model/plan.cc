#include "model/plan.h"

#include <array>

namespace virtseer {

std::string_view name(Refusal refusal) {
  static constexpr std::array<std::string_view, 30> kNames{
      "not_running",  "shadow",       "job",         "device",    "managed",        "policy",
      "in_flight",    "cooldown",     "no_forecast", "twice",     "same_host",      "maintenance",
      "silent",       "stale",        "nonsense",    "memory",    "vcpus",          "cpu",
      "cpu_way_back", "machine_type", "storage",     "network",   "no_convergence", "left_recently",
      "contended",    "fewer_cores",  "unknown",     "no_relief", "helps_less",     "lower_score"};
  static_assert(kNames.size() == static_cast<std::size_t>(Refusal::lower_score) + 1);
  return kNames.at(static_cast<std::size_t>(refusal));
}

std::string_view name(StepCause cause) {
  return cause == StepCause::maintenance ? "maintenance" : "contention";
}

std::string_view name(StepState state) {
  switch (state) {
    case StepState::due:
      return "due";
    case StepState::holding:
      return "holding";
    case StepState::waiting:
      return "waiting";
  }
  return "waiting";
}

}  // namespace virtseer
