#include <nlohmann/json.hpp>

#include "wire/members_state.h"
#include "wire/read.h"
#include "wire/scenarios.h"
#include "wire/wire.h"

namespace virtseer::wire {

Json json(const FleetState& state) {
  return put(state);
}

Result<FleetState> fleetState(std::string_view body) {
  return readBody<FleetState>(body, kBodyBytes, kValues);
}

}  // namespace virtseer::wire
