#pragma once

#include <string>

#include "cli/body.h"

namespace virtseer::cli {

// Parts of plans and rankings as words in a table's cell or a line; `json` is the object itself.

/// "87 %" of a contention.
std::string contentionText(const Json* contention);
/// "87 % -> 12 %" of two.
std::string contentionChange(const Json* before, const Json* after);
/// "now", "in 4 min 5 s", "-" where none is foreseen.
std::string whenText(const Json* contention);
/// "about 12 s, 80 ms of it down; 2.0 GiB of memory".
std::string costText(const Json* cost);
/// "alpha -> beta" of anything that has from_name and to_name; a nameless host is "?".
std::string wayText(const Json& move);

}  // namespace virtseer::cli
