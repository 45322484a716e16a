#include <algorithm>

#include "base/edit_distance.h"
#include "daemon/config_keys.h"

namespace virtseer {
namespace {

/// The nearest name so far.
struct Nearest {
  std::string_view given;
  std::size_t distance;  ///< what is not nearer does not count
  std::string_view best{};

  void look(std::string_view candidate, std::size_t farthest = SIZE_MAX) {
    const std::size_t far = std::min(farthest, editDistance(given, candidate));
    if (far < distance) best = candidate, distance = far;
  }
  void lookAtKeys(std::span<const ConfigKey> keys) {
    // A key in the wrong section keeps its last part.
    constexpr std::size_t kMoved = 2;
    const auto last = given.substr(given.rfind('.'));
    for (const ConfigKey& key : keys)
      look(key.name, last == key.name.substr(key.name.rfind('.')) ? kMoved : SIZE_MAX);
  }
};

}  // namespace

std::string nearestName(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  if (name.size() > kLongest) return {};
  Nearest nearest{name, std::max<std::size_t>(2, name.size() / 3) + 1};
  if (name.contains('.')) {
    nearest.lookAtKeys(configKeys());
    for (const ConfigList& list : configLists()) nearest.lookAtKeys(list.keys);
  } else {
    for (const ConfigKey& key : configKeys()) nearest.look(key.name.substr(0, key.name.find('.')));
  }
  for (const ConfigList& list : configLists()) nearest.look(list.name);
  return std::string(nearest.best);
}

}  // namespace virtseer
