#include "decide/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"

namespace virtseer::decide {
namespace {

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::string label(std::string_view name) {
  static constexpr std::size_t kLongest = 64;
  if (name.size() <= kLongest) return printable(name);
  return printable(name.substr(0, kLongest)) + "...";
}

std::string commandName(const std::string& name, const Uuid& uuid) {
  const bool safe = !name.empty() && name.front() != '-' && std::ranges::all_of(name, plain);
  return safe ? name : uuid.text();
}

std::string percent(double share) {
  if (!std::isfinite(share)) return "unknown";
  const double value = share * 100;
  if (value > 0 && value < 1) return "under 1 %";
  if (value > 99 && value < 100) return "over 99 %";
  return fmt::format("{:.0f} %", value);
}

std::string cores(double cpus) {
  const auto text = fmt::format("{:.2f}", cpus);
  return text + (text == "1.00" ? " core" : " cores");
}

std::string size(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
  if (unit == 0) return fmt::format("{} bytes", bytes);
  return fmt::format("{:.{}f} {}", value, value < 10 ? 1 : 0, kUnits.at(unit));
}

std::string span(Millis time) {
  const auto ms = time.count();
  if (ms < 1000) return fmt::format("{} ms", ms);
  const double seconds = static_cast<double>(ms) / 1000;
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace virtseer::decide
