#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer::daemon {

/// When each VM that the predictor knows was here last, so that what was learned about VMs that do
/// not come back is forgotten some day, also across restarts.
class SeenVms {
 public:
  static constexpr Millis kKept{7 * 24 * 3'600'000LL};

  void see(const Uuid& vm, Timestamp now) { last_[vm] = now; }
  /// Takes those out that were not seen for kKept.
  std::vector<Uuid> takeForgotten(Timestamp now);

  /// One line for each: UUID and milliseconds since the epoch.
  std::string text() const;
  /// Adds what text() wrote; lines that cannot be read are left out.
  void read(std::string_view text);

 private:
  std::map<Uuid, Timestamp> last_;
};

}  // namespace virtseer::daemon
