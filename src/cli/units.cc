#include "cli/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"

namespace virtseer::cli {
namespace {

bool known(std::optional<double> value) {
  return value && std::isfinite(*value);
}

/// Two digits where there are few, none where there are many.
std::string shortNumber(double value) {
  const double size = std::abs(value);
  return size < 9.95 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

}  // namespace

std::string bytesText(std::optional<double> bytes) {
  if (!known(bytes)) return "-";
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = *bytes;
  std::size_t unit = 0;
  for (; std::abs(value) >= 1023.5 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{:.0f} B", value)
                   : fmt::format("{} {}", shortNumber(value), kUnits[unit]);
}

std::string bytesPerSecondText(std::optional<double> rate) {
  return known(rate) ? bytesText(rate) + "/s" : "-";
}

std::string coresText(std::optional<double> cores) {
  return known(cores) ? fmt::format("{:.2f}", *cores) : "-";
}

std::string percentText(std::optional<double> ratio) {
  return known(ratio) ? fmt::format("{:.0f} %", *ratio * 100) : "-";
}

std::string secondsText(std::optional<double> seconds) {
  if (!known(seconds)) return "-";
  const double size = std::abs(*seconds);
  if (size == 0) return "0 s";
  if (size < 0.9995e-3) return fmt::format("{} us", shortNumber(*seconds * 1e6));
  if (size < 0.9995) return fmt::format("{} ms", shortNumber(*seconds * 1e3));
  if (size < 60) return fmt::format("{} s", shortNumber(*seconds));
  return spanText(Millis(static_cast<std::int64_t>(std::min(*seconds, 1e12) * 1000)));
}

std::string numberText(std::optional<double> number) {
  return known(number) ? fmt::format("{:.10g}", *number) : "-";
}

std::string countText(std::optional<double> count) {
  if (!known(count)) return "-";
  std::string digits = fmt::format("{:.0f}", *count);
  for (std::size_t at = digits.size(); at > 3 + (*count < 0 ? 1u : 0u);)
    digits.insert(at -= 3, ",");
  return digits;
}

std::string measureText(std::string_view name, std::optional<double> value) {
  if (!known(value)) return "-";
  if (name.ends_with("_total")) name.remove_suffix(6);
  if (name.ends_with("_per_second")) return rateText(name.substr(0, name.size() - 11), value);
  if (name.ends_with("_bytes")) return bytesText(value);
  if (name.ends_with("_seconds")) return secondsText(value);
  if (name.ends_with("_ratio")) return fmt::format("{:.1f} %", *value * 100);
  return numberText(value);
}

std::string rateText(std::string_view name, std::optional<double> per_second) {
  if (!known(per_second)) return "-";
  if (name.ends_with("_total")) name.remove_suffix(6);
  if (name.ends_with("_bytes")) return bytesPerSecondText(per_second);
  if (name.ends_with("_seconds")) return fmt::format("{:.3f} s/s", *per_second);
  return fmt::format("{:.4g} /s", *per_second);
}

std::string spanText(Millis span) {
  const auto seconds = span.count() / 1000;
  if (seconds < 60) return fmt::format("{} s", seconds);
  const auto minutes = seconds / 60;
  if (minutes < 60) return fmt::format("{} min {} s", minutes, seconds % 60);
  const auto hours = minutes / 60;
  return hours < 48 ? fmt::format("{} h {} min", hours, minutes % 60)
                    : fmt::format("{} d {} h", hours / 24, hours % 24);
}

std::string millisText(std::optional<double> ms) {
  return secondsText(ms ? std::optional(*ms / 1000) : std::nullopt);
}

std::string timeText(std::string_view time) {
  if (!parseRfc3339(time) || time.size() < 19) return time.empty() ? "-" : printable(time);
  std::string out(time.substr(0, 19));
  out[10] = ' ';
  return out;
}

std::string agoText(std::string_view text, Timestamp now) {
  if (text.empty()) return "never";
  const auto time = parseRfc3339(text);
  if (!time) return printable(text);
  return *time <= now ? spanText(now - *time) + " ago" : rfc3339(*time);
}

}  // namespace virtseer::cli
