#pragma once

#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace virtseer::agent {

/// A number as programs write it: digits, point, exponent, sign. NaN, "Inf" of any sign, and what
/// no double holds are NaN; nothing where it is none of these.
inline std::optional<double> parseFloat(std::string_view word) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  for (const std::string_view name : {"NaN", "+Inf", "-Inf", "Inf"})
    if (word == name) return kNone;
  std::array<char, 64> text{};
  if (word.empty() || word.size() >= text.size()) return std::nullopt;
  // The library's function would also take blanks, hexadecimal digits and words.
  if (word.find_first_not_of("0123456789+-.eE") != word.npos) return std::nullopt;
  std::memcpy(text.data(), word.data(), word.size());
  char* end = nullptr;
  const double value = std::strtod(text.data(), &end);
  if (end != text.data() + word.size()) return std::nullopt;
  return value - value == 0 ? value : kNone;
}

}  // namespace virtseer::agent
