#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace virtseer::cli {

// Numbers as a person reads them; "-" for what is unknown.

/// 512 B, 1.5 KiB, 20 MiB.
std::string bytesText(std::optional<double> bytes);
/// The same with "/s".
std::string bytesPerSecondText(std::optional<double> rate);
/// 0.53
std::string coresText(std::optional<double> cores);
/// 12 %, of a ratio from 0 to 1.
std::string percentText(std::optional<double> ratio);
/// 250 us, 1.3 ms, 2.5 s, from a minute on as spanText().
std::string secondsText(std::optional<double> seconds);
/// 12345.75: ten significant digits.
std::string numberText(std::optional<double> number);
/// 1,234,567
std::string countText(std::optional<double> count);
/// In the unit that a metric's or column's name ends with: _bytes, _seconds, _ratio, each also with
/// _total or _per_second behind it; else a number.
std::string measureText(std::string_view name, std::optional<double> value);
/// How fast a counter of this name grows, likewise.
std::string rateText(std::string_view name, std::optional<double> per_second);
/// 42 s, 3 min 5 s, 2 h 10 min, 5 d 3 h.
std::string spanText(Millis span);
/// As secondsText(), of milliseconds that came in a body.
std::string millisText(std::optional<double> ms);
/// In UTC, without the milliseconds: 2026-01-31 08:05:00.
std::string timeText(std::string_view rfc3339);
/// "3 s ago", or the time itself if it is not in the past; "never" if it is empty.
std::string agoText(std::string_view rfc3339, Timestamp now);

}  // namespace virtseer::cli
