#include "base/time.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

namespace virtseer {
namespace {

using namespace std::chrono;

std::optional<int> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc() || end != text.data() + count || value < 0) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<milliseconds> fraction(std::string_view& text) {
  if (!take(text, ".")) return milliseconds(0);
  int value = 0, scale = 100;
  bool any = false;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    value += (text.front() - '0') * scale;
    scale /= 10;
    any = true;
    text.remove_prefix(1);
  }
  if (!any) return std::nullopt;
  return milliseconds(value);
}

std::optional<minutes> zone(std::string_view& text) {
  if (take(text, "Zz")) return minutes(0);
  const bool west = !text.empty() && text.front() == '-';
  if (!take(text, "+-")) return std::nullopt;
  const auto hour = digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = digits(text, 2);
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  const minutes offset = hours(*hour) + minutes(*minute);
  return west ? -offset : offset;
}

}  // namespace

std::string rfc3339(Timestamp time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<Timestamp> parseRfc3339(std::string_view text) {
  const auto y = digits(text, 4);
  if (!y || !take(text, "-")) return std::nullopt;
  const auto mo = digits(text, 2);
  if (!mo || !take(text, "-")) return std::nullopt;
  const auto d = digits(text, 2);
  if (!d || !take(text, "Tt ")) return std::nullopt;
  const auto h = digits(text, 2);
  if (!h || !take(text, ":")) return std::nullopt;
  const auto mi = digits(text, 2);
  if (!mi || !take(text, ":")) return std::nullopt;
  const auto s = digits(text, 2);
  if (!s) return std::nullopt;
  const auto ms = fraction(text);
  const auto offset = ms ? zone(text) : std::nullopt;
  const year_month_day date(year(*y), month(static_cast<unsigned>(*mo)),
                            day(static_cast<unsigned>(*d)));
  if (!offset || !text.empty() || !date.ok() || *h > 23 || *mi > 59 || *s > 60) return std::nullopt;
  return Timestamp(sys_days(date).time_since_epoch() + hours(*h) + minutes(*mi) + seconds(*s) +
                   *ms - *offset);
}

std::optional<Millis> parseDuration(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size() - end);
  std::int64_t factor;
  if (unit == "ms")
    factor = 1;
  else if (unit == "s")
    factor = 1000;
  else if (unit == "m")
    factor = 60'000;
  else if (unit == "h")
    factor = 3'600'000;
  else if (unit == "d")
    factor = 86'400'000;
  else
    return std::nullopt;
  if (value > INT64_MAX / factor) return std::nullopt;
  return Millis(value * factor);
}

Timestamp SystemClock::wall() const {
  return time_point_cast<milliseconds>(system_clock::now());
}
steady_clock::time_point SystemClock::mono() const {
  return steady_clock::now();
}

}  // namespace virtseer
