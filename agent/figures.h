#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

/// How figures are made and rounded before they are told: finer digits are noise that takes room.
namespace virtseer::agent {

/// To three decimals: seconds to the millisecond, ratios to a tenth of a percent.
inline double toThousandths(double value) {
  return std::round(value * 1000) / 1000;
}

/// To three significant digits, for what spans powers of ten, such as round-trip times.
inline double toThreeDigits(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  double scale = 1;
  while (std::fabs(value) * scale < 100 && scale < 1e15) scale *= 10;
  if (scale > 1) return std::round(value * scale) / scale;
  while (std::fabs(value) / scale >= 1000) scale *= 10;
  return std::round(value / scale) * scale;
}

/// `part` of `whole` as a ratio from 0 to 1; nothing where there is no whole.
inline std::optional<double> ratioOf(double part, double whole) {
  if (!(whole > 0) || !(part >= 0)) return std::nullopt;
  return toThousandths(part < whole ? part / whole : 1.0);
}

/// What a counter has grown by since it was last asked: nothing at first, where the value lacks,
/// and where it fell, as it was then begun anew.
class Growth {
 public:
  std::optional<double> to(std::optional<std::uint64_t> value) {
    std::optional<double> growth;
    if (value && last_ && *value >= *last_) growth = static_cast<double>(*value - *last_);
    last_ = value;
    return growth;
  }

 private:
  std::optional<std::uint64_t> last_;
};

}  // namespace virtseer::agent
