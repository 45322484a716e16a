#include "platform/environment.h"

#include <mutex>
#include <set>

namespace virtseer::platform {

const SeriesName* intern(SeriesName name) {
  static std::mutex mutex;
  static std::set<SeriesName> names;  // a set: its elements do not move
  const std::lock_guard lock(mutex);
  return &*names.insert(std::move(name)).first;
}

}  // namespace virtseer::platform
