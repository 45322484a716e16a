#include "daemon/config_size.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace virtseer {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr Unit kSizes[] = {
    {"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}};
constexpr Unit kDurations[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}};

}  // namespace

std::optional<std::uint64_t> parseSize(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{}) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size() - end);
  if (unit.empty()) return value;
  for (const auto& [name, factor] : kSizes)
    if (unit == name && value <= std::numeric_limits<std::uint64_t>::max() / factor)
      return value * factor;
  return std::nullopt;
}

std::string sizeText(std::uint64_t bytes) {
  for (const auto& [name, factor] : kSizes)
    if (bytes != 0 && bytes % factor == 0) return fmt::format("{}{}", bytes / factor, name);
  return fmt::format("{}", bytes);
}

std::string durationText(Millis span) {
  const auto ms = static_cast<std::uint64_t>(span.count());
  if (ms == 0) return "0s";
  for (const auto& [name, factor] : kDurations)
    if (ms % factor == 0) return fmt::format("{}{}", ms / factor, name);
  return fmt::format("{}ms", ms);
}

}  // namespace virtseer
