#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/hand_over.h"
#include "model/operation.h"

/// The JSON that daemons exchange and keep, both ways: the shapes of openapi.yaml. Reading treats
/// everything as hostile: bounded, typed, no exception; what is missing or wrong is Code::invalid
/// with the name of the member. Pure.
namespace virtseer::wire {

using Json = nlohmann::ordered_json;

/// Demand is sent in hundredths of a core, 16 bits each, base64.
Json json(const FleetState& state);
Result<FleetState> fleetState(std::string_view body);
/// The text of json(state), made in half of the time: still too long for the loop where a host
/// has many VMs (1 ms for each eight of them, with 200 paths of 60 steps).
std::string text(const FleetState& state);

/// Without what only the daemon that keeps it needs (definitions of the VM are secret).
Json json(const Operation& operation);
/// All of it, for the daemon's own store.
Json record(const Operation& operation);
/// Reads either of the two.
Result<Operation> operation(std::string_view body);

Json json(const ReserveOrder& order);
Result<ReserveOrder> reserveOrder(std::string_view body);
Json json(const ReserveAnswer& answer);
Result<ReserveAnswer> reserveAnswer(std::string_view body);
Json json(const Reservation& reservation);
Result<Reservation> reservation(std::string_view body);
Json json(const RemoteVm& vm);
Result<RemoteVm> remoteVm(std::string_view body);
Json json(const CommitOrder& order);
Result<CommitOrder> commitOrder(std::string_view body);
Json json(const std::vector<PastMove>& moves);
Result<std::vector<PastMove>> pastMoves(std::string_view body);
Json json(const Check& check);

/// One line of text. Labels and words were made UTF-8 when they became JSON; Code::invalid if a
/// definition or a path, which nobody may change, is not UTF-8.
Result<std::string> text(const Json& json);

}  // namespace virtseer::wire
