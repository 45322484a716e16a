#include "predict/beginning.h"

#include <algorithm>
#include <cmath>

namespace virtseer::predict {
namespace {

/// Of the highest value: cells that are all the same have no range.
constexpr float kLeastWide = 0.1F;

struct Range {
  float low = 0, high = 0;
  bool apart(float value) const {
    const float wide = std::max(high - low, kLeastWide * high);
    return value < low - wide || value > high + wide;
  }
};

/// Of cells of which half or more are known.
bool rangeOf(std::span<const float> values, Range& out) {
  std::size_t known = 0;
  for (const float value : values) {
    if (std::isnan(value)) continue;
    out = known == 0 ? Range{value, value}
                     : Range{std::min(out.low, value), std::max(out.high, value)};
    ++known;
  }
  return known > 0 && 2 * known >= values.size();
}

}  // namespace

std::size_t beginning(std::span<const float> values, std::size_t most, std::size_t behind) {
  if (values.size() <= behind) return 0;
  for (std::size_t cut = std::min(most, values.size() - behind); cut > 0; --cut) {
    Range range;
    if (!rangeOf(values.subspan(cut, behind), range) || !range.apart(values[cut - 1])) continue;
    const auto first = values.first(cut);
    const auto apart = std::ranges::count_if(first, [&](float v) { return range.apart(v); });
    const auto known = std::ranges::count_if(first, [](float v) { return !std::isnan(v); });
    if (3 * apart >= 2 * known) return cut;
  }
  return 0;
}

}  // namespace virtseer::predict
