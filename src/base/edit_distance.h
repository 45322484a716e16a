#pragma once

#include <cstddef>
#include <string_view>

namespace virtseer {

/// Insertions, removals, replacements and swaps of neighbours that make `b` out of `a`, in bytes
/// (optimal string alignment). O(a * b) in time and memory: bound what comes from outside.
std::size_t editDistance(std::string_view a, std::string_view b);

}  // namespace virtseer
