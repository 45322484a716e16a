#pragma once

#include <optional>
#include <string_view>

#include "model/host_state.h"
#include "model/operation.h"

/// The names of enums as name() writes them, and nothing else.
namespace virtseer::wire {

template <class Enum>
bool found(const std::optional<Enum>& value, Enum& out) {
  if (value) out = *value;
  return value.has_value();
}

inline bool parseName(std::string_view text, OperationKind& out) {
  return found(parseOperationKind(text), out);
}
inline bool parseName(std::string_view text, OperationState& out) {
  return found(parseOperationState(text), out);
}
inline bool parseName(std::string_view text, OperationOrigin& out) {
  return found(parseOperationOrigin(text), out);
}
inline bool parseName(std::string_view text, Presence::State& out) {
  return found(parsePresenceState(text), out);
}
inline bool parseName(std::string_view text, Presence::Job& out) {
  return found(parsePresenceJob(text), out);
}
inline bool parseName(std::string_view text, MoveOutcome& out) {
  return found(parseMoveOutcome(text), out);
}
inline bool parseName(std::string_view text, VmState& out) {
  return found(parseVmState(text), out);
}
inline bool parseName(std::string_view text, Mode& out) {
  return found(parseMode(text), out);
}
inline bool parseName(std::string_view text, Role& out) {
  out = parseRole(text);
  return name(out) == text;
}
inline bool parseName(std::string_view text, CpuMode& out) {
  out = parseCpuMode(text);
  return name(out) == text;
}

}  // namespace virtseer::wire
