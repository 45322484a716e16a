#pragma once

#include <cstddef>
#include <span>

namespace virtseer::predict {

/// How many cells at the beginning of a history tell of something else than what came after: a
/// guest that boots, or was just set to work. Zero where none do.
///
/// They are the longest beginning, of at most `most` cells, of which the last cell and two thirds
/// of all lie apart from the `behind` cells right behind it: below its lowest value or above its
/// highest by more than these two are apart (a tenth of the highest at least). A ramp never begins
/// so, and noise with a cell or two at most. A recursion that starts in such cells finds its level
/// only horizons later, and its errors there would be drawn again as if the guest booted every few
/// minutes. `values`: oldest first; NaN is missing.
std::size_t beginning(std::span<const float> values, std::size_t most, std::size_t behind);

}  // namespace virtseer::predict
