#include "model/enroll.h"

#include <algorithm>

namespace virtseer {

std::string_view name(EchoWay way) {
  switch (way) {
    case EchoWay::channel:
      return "channel";
    case EchoWay::vsock:
      return "vsock";
    case EchoWay::tls:
      break;
  }
  return "tls";
}

std::optional<EchoWay> parseEchoWay(std::string_view text) {
  for (const auto way : {EchoWay::channel, EchoWay::vsock, EchoWay::tls})
    if (name(way) == text) return way;
  return std::nullopt;
}

std::string_view name(EnrollStep::Kind kind) {
  switch (kind) {
    case EnrollStep::Kind::channel:
      return "channel";
    case EnrollStep::Kind::balloon:
      return "balloon";
    case EnrollStep::Kind::token:
      break;
  }
  return "token";
}

bool EnrollPlan::fits() const {
  return std::ranges::all_of(checks, &Check::held);
}

std::string EnrollPlan::refusal() const {
  std::string out;
  for (const auto& check : checks)
    if (!check.held) out += (out.empty() ? "" : "; ") + check.words;
  return out;
}

}  // namespace virtseer
