#include "wire/wire.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "unit/wire/worlds.h"

namespace {

using namespace virtseer;

/// What was understood has one text: it is understood again and written as the same.
template <class T, class Write>
void readAgain(std::string_view body, Result<T> (*read)(std::string_view), Write write) {
  const auto value = read(body);
  if (!value) {
    if (value.error().code != Code::invalid || value.error().message.empty()) std::abort();
    return;
  }
  const auto text = wire::text(write(*value));
  if (!text) std::abort();
  const auto again = read(*text);
  if (!again || wire::text(write(*again)) != text) std::abort();
}

void readAs(std::uint8_t kind, std::string_view body) {
  const auto json = [](const auto& value) { return wire::json(value); };
  switch (kind % 8) {
    case 0:
      return readAgain(body, &wire::fleetState, json);
    case 1:
      return readAgain(body, &wire::operation, &wire::record);
    case 2:
      return readAgain(body, &wire::reserveOrder, json);
    case 3:
      return readAgain(body, &wire::reserveAnswer, json);
    case 4:
      return readAgain(body, &wire::reservation, json);
    case 5:
      return readAgain(body, &wire::remoteVm, json);
    case 6:
      return readAgain(body, &wire::commitOrder, json);
    default:
      return readAgain(body, &wire::pastMoves, json);
  }
}

/// A right body of each kind.
const std::string& rightBody(std::uint8_t kind) {
  static const std::array<std::string, 8> bodies = [] {
    wire::Worlds worlds(1);
    return std::array<std::string, 8>{
        wire::json(worlds.fleetState()).dump(),   wire::record(worlds.operation()).dump(),
        wire::json(worlds.reserveOrder()).dump(), wire::json(worlds.reserveAnswer()).dump(),
        wire::json(worlds.reservation()).dump(),  wire::json(worlds.remoteVm()).dump(),
        wire::json(worlds.commitOrder()).dump(),  wire::json(worlds.commitOrder().moves).dump()};
  }();
  return bodies[kind % bodies.size()];
}

}  // namespace

/// The input as a body, and in place of a piece of a right body, whose members the fuzzer would
/// else have to guess.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::uint8_t kind = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 4, size - 4);
  readAs(kind, bytes);
  std::string body = rightBody(kind);
  const std::size_t at = (data[1] | std::size_t{data[2]} << 8) % body.size();
  body.replace(at, std::min<std::size_t>(data[3] % 64, body.size() - at), bytes);
  readAs(kind, body);
  return 0;
}
