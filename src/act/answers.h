#pragma once

#include <algorithm>
#include <vector>

#include "base/result.h"
#include "model/operation.h"

namespace virtseer::act {

/// Nobody answered: nothing follows from it.
inline bool silence(const Error& error) {
  return error.code == Code::unreachable || error.code == Code::timeout;
}

/// Somebody there answered, if only by failing. A question that was given up by who asked is none.
inline bool answered(const Error& error) {
  return !silence(error) && error.code != Code::cancelled;
}

/// Nobody answered, or a bound was reached there: it may be asked again.
inline bool putOff(const Error& error) {
  return silence(error) || error.code == Code::busy;
}

inline bool allHeld(const std::vector<Check>& checks) {
  return std::ranges::all_of(checks, &Check::held);
}

}  // namespace virtseer::act
