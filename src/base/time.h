#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace virtseer {

/// Wall time, milliseconds since the Unix epoch: stored and shown, never used to measure a wait.
using Timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;
using Millis = std::chrono::milliseconds;

/// RFC 3339 in UTC with milliseconds: 2026-01-31T08:05:00.250Z.
std::string rfc3339(Timestamp time);

/// Reads what rfc3339() writes; also without fraction and with an offset such as +01:00.
std::optional<Timestamp> parseRfc3339(std::string_view text);

/// Reads a span such as 250ms, 5s, 15m, 1h, 7d (whole numbers, one unit). Never negative.
std::optional<Millis> parseDuration(std::string_view text);

/// Where wall and monotonic time come from, so that tests and the twin can turn the clock.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp wall() const = 0;
  virtual std::chrono::steady_clock::time_point mono() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp wall() const override;
  std::chrono::steady_clock::time_point mono() const override;
};

/// A clock that stands still until told otherwise.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : wall_(start) {}
  void advance(Millis by) { wall_ += by, mono_ += by; }
  /// A step of the wall clock alone, as by NTP or a person.
  void stepWall(Millis by) { wall_ += by; }
  Timestamp wall() const override { return wall_; }
  std::chrono::steady_clock::time_point mono() const override { return mono_; }

 private:
  Timestamp wall_;
  std::chrono::steady_clock::time_point mono_{std::chrono::hours(1)};
};

}  // namespace virtseer
