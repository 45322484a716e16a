#include <nlohmann/json.hpp>
#include <utility>

#include "wire/members_state.h"
#include "wire/read.h"
#include "wire/scenarios.h"
#include "wire/wire.h"

namespace virtseer::wire {

Json json(const FleetState& state) {
  return put(state);
}

std::string text(const FleetState& state) {
  Json whole = json(state);
  // Most of it is base64, which needs no look at each letter; it is the last member of the last.
  Json& member = whole["scenarios"]["demand"];
  const auto demand = std::exchange(member.get_ref<Json::string_t&>(), {});
  std::string out = whole.dump();
  out.insert(out.size() - std::string_view("\"}}").size(), demand);
  return out;
}

Result<FleetState> fleetState(std::string_view body) {
  return readBody<FleetState>(body, kBodyBytes, kValues);
}

}  // namespace virtseer::wire
