#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// Reading of the kernel's text files, without locales and without allocation.
namespace virtseer::agent {

/// Takes the first line off `rest`, without its end.
inline std::string_view takeLine(std::string_view& rest) {
  const auto end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

/// Takes the first word off `line`: what stands between blanks; empty at the end.
inline std::string_view takeWord(std::string_view& line) {
  const auto start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos) return line = {};
  const auto end = line.find_first_of(" \t", start);
  const std::string_view word = line.substr(start, end == line.npos ? line.npos : end - start);
  line.remove_prefix(start + word.size());
  return word;
}

/// A whole number of digits alone, saturating; nothing where other characters occur.
constexpr std::optional<std::uint64_t> parseNumber(std::string_view word) {
  if (word.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : word) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, 10u, &value) ||
        __builtin_add_overflow(value, static_cast<unsigned>(c - '0'), &value))
      value = UINT64_MAX;
  }
  return value;
}

/// A number with an optional decimal point, such as "0.52".
constexpr std::optional<double> parseDecimal(std::string_view word) {
  const auto point = word.find('.');
  const auto whole = parseNumber(word.substr(0, point));
  if (!whole || point == word.npos) return whole;
  const std::string_view decimals = word.substr(point + 1);
  const auto part = parseNumber(decimals);
  if (!part || decimals.size() > 9) return std::nullopt;
  std::uint64_t scale = 1;
  for (std::size_t i = 0; i < decimals.size(); ++i) scale *= 10;
  return static_cast<double>(*whole * scale + *part) / static_cast<double>(scale);
}

inline std::optional<std::uint64_t> takeNumber(std::string_view& line) {
  return parseNumber(takeWord(line));
}

}  // namespace virtseer::agent
