#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace virtseer::wire {

/// 16-bit numbers, low byte first, in base64 with padding (RFC 4648, 4).
std::string base64(std::span<const std::uint16_t> numbers);

/// Exactly `count` numbers; absent if the text is anything else.
std::optional<std::vector<std::uint16_t>> fromBase64(std::string_view text, std::size_t count);

}  // namespace virtseer::wire
