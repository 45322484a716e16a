#include "model/machine.h"

namespace virtseer {

std::string_view name(VmState state) {
  switch (state) {
    case VmState::running:
      return "running";
    case VmState::blocked:
      return "blocked";
    case VmState::paused:
      return "paused";
    case VmState::shutdown:
      return "shutdown";
    case VmState::shutoff:
      return "shutoff";
    case VmState::crashed:
      return "crashed";
    case VmState::suspended:
      return "suspended";
    case VmState::gone:
      return "gone";
  }
  return "gone";
}

std::optional<VmState> parseVmState(std::string_view text) {
  for (const auto state : {VmState::running, VmState::blocked, VmState::paused, VmState::shutdown,
                           VmState::shutoff, VmState::crashed, VmState::suspended, VmState::gone})
    if (name(state) == text) return state;
  return std::nullopt;
}

std::string_view name(Role role) {
  switch (role) {
    case Role::production:
      return "production";
    case Role::lab:
      return "lab";
    case Role::shadow:
      return "shadow";
  }
  return "production";
}

Role parseRole(std::string_view value) {
  if (value == "lab") return Role::lab;
  if (value == "shadow") return Role::shadow;
  return Role::production;
}

std::string_view name(AgentLink::State state) {
  switch (state) {
    case AgentLink::State::absent:
      return "absent";
    case AgentLink::State::connecting:
      return "connecting";
    case AgentLink::State::connected:
      return "connected";
    case AgentLink::State::refused:
      return "refused";
  }
  return "absent";
}

}  // namespace virtseer
