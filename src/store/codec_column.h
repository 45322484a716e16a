#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace virtseer::store {

/// How the values of a column are written; the low six bits of its codec byte.
enum class Codec : std::uint8_t { constant = 1, scaled = 2, exclusive_or = 3, raw = 4 };
/// The codec byte's high bits: how it is said which rows have a value; neither: all have one.
inline constexpr std::uint8_t kPresenceBitmap = 0x80;
inline constexpr std::uint8_t kPresenceRuns = 0x40;

/// Appends the smallest form of a column, NaN meaning missing, and returns its codec byte; appends
/// nothing and returns nothing if all are missing. Values come back bit by bit, NaNs as kMissing.
std::optional<std::uint8_t> encodeColumn(std::span<const double> values, std::string& out);

/// Fills `values` (one per row of the chunk) from the whole of `payload`; false if it is not that.
bool decodeColumn(std::uint8_t codec, std::string_view payload, std::span<double> values);

}  // namespace virtseer::store
