#include "wire/wire.h"

#include <nlohmann/json.hpp>

#include "wire/members_operation.h"
#include "wire/read.h"

namespace virtseer::wire {

Json json(const Operation& operation) {
  return put(operation);
}
Json record(const Operation& operation) {
  Json out = put(operation);
  out["record"] = put(operation.record);
  return out;
}
Result<Operation> operation(std::string_view body) {
  return readBody<Operation>(body, kBodyBytes, kFewValues);
}

Json json(const ReserveOrder& order) {
  return put(order);
}
Result<ReserveOrder> reserveOrder(std::string_view body) {
  return readBody<ReserveOrder>(body, kOrderBytes, kFewValues);
}

Json json(const ReserveAnswer& answer) {
  return put(answer);
}
Result<ReserveAnswer> reserveAnswer(std::string_view body) {
  return readBody<ReserveAnswer>(body, kSmallBodyBytes, kFewValues);
}

Json json(const Reservation& reservation) {
  return put(reservation);
}
Result<Reservation> reservation(std::string_view body) {
  return readBody<Reservation>(body, kSmallBodyBytes, kFewValues);
}

Json json(const RemoteVm& vm) {
  return put(vm);
}
Result<RemoteVm> remoteVm(std::string_view body) {
  return readBody<RemoteVm>(body, kSmallBodyBytes, kFewValues);
}

Json json(const CommitOrder& order) {
  return put(order);
}
Result<CommitOrder> commitOrder(std::string_view body) {
  return readBody<CommitOrder>(body, kSmallBodyBytes, kFewValues);
}

Json json(const std::vector<PastMove>& moves) {
  return put(moves);
}
Result<std::vector<PastMove>> pastMoves(std::string_view body) {
  return readBody<std::vector<PastMove>>(body, kSmallBodyBytes, kFewValues);
}

Json json(const Check& check) {
  return put(check);
}

Result<std::string> text(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    return fail(Code::invalid, "a definition or a path is not UTF-8");
  }
}

}  // namespace virtseer::wire
