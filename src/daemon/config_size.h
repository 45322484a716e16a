#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace virtseer {

/// Reads a size such as 4096 (bytes), 64KiB, 16MiB, 2GiB, 1TiB: whole numbers, one binary unit.
std::optional<std::uint64_t> parseSize(std::string_view text);

/// What parseSize() reads, with the largest unit that loses nothing: 16MiB, 4097.
std::string sizeText(std::uint64_t bytes);

/// What parseDuration() reads, with the largest unit that loses nothing: 5s, 250ms, 1h.
std::string durationText(Millis span);

}  // namespace virtseer
