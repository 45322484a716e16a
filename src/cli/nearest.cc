#include "cli/nearest.h"

#include <algorithm>

#include "base/edit_distance.h"

namespace virtseer::cli {

std::string nearestWord(std::string_view given, const std::vector<std::string>& words) {
  constexpr std::size_t kLongest = 32;
  if (given.size() > kLongest) return {};
  std::string best;
  std::size_t least = std::max<std::size_t>(1, given.size() / 3) + 1;
  for (const std::string& word : words)
    if (const std::size_t far = editDistance(given, word); far < least) best = word, least = far;
  return best;
}

}  // namespace virtseer::cli
