#include "cli/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace virtseer::cli {
namespace {

/// Insertions, removals and replacements that make `a` out of `b` (Levenshtein, one row at a time).
/// Two neighbours that were swapped count as one where they are all that differs.
std::size_t distance(std::string_view a, std::string_view b) {
  const auto first = std::ranges::mismatch(a, b);
  std::string swapped(a);
  const auto at = static_cast<std::size_t>(first.in1 - a.begin());
  if (at + 1 < swapped.size()) std::swap(swapped[at], swapped[at + 1]);
  if (swapped == b && a != b) return 1;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearestWord(std::string_view given, const std::vector<std::string>& words) {
  constexpr std::size_t kLongest = 32;
  if (given.size() > kLongest) return {};
  std::string best;
  std::size_t least = std::max<std::size_t>(1, given.size() / 3) + 1;
  for (const std::string& word : words)
    if (const std::size_t far = distance(given, word); far < least) best = word, least = far;
  return best;
}

}  // namespace virtseer::cli
