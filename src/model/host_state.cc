#include "model/host_state.h"

namespace virtseer {

std::string_view name(CpuMode mode) {
  switch (mode) {
    case CpuMode::custom:
      return "custom";
    case CpuMode::host_model:
      return "host-model";
    case CpuMode::host_passthrough:
      return "host-passthrough";
  }
  return "custom";
}

CpuMode parseCpuMode(std::string_view text) {
  if (text == "host-model") return CpuMode::host_model;
  if (text == "host-passthrough" || text == "maximum") return CpuMode::host_passthrough;
  return CpuMode::custom;
}

std::string_view name(MoveOutcome outcome) {
  switch (outcome) {
    case MoveOutcome::done:
      return "done";
    case MoveOutcome::returned:
      return "returned";
    case MoveOutcome::failed:
      return "failed";
    case MoveOutcome::refused:
      return "refused";
    case MoveOutcome::aborted:
      return "aborted";
  }
  return "failed";
}

std::optional<MoveOutcome> parseMoveOutcome(std::string_view text) {
  for (const auto outcome : {MoveOutcome::done, MoveOutcome::returned, MoveOutcome::failed,
                             MoveOutcome::refused, MoveOutcome::aborted})
    if (name(outcome) == text) return outcome;
  return std::nullopt;
}

bool runs(VmState state) {
  return state == VmState::running || state == VmState::blocked;
}

bool occupies(VmState state) {
  return state != VmState::shutoff && state != VmState::crashed && state != VmState::gone;
}

}  // namespace virtseer
