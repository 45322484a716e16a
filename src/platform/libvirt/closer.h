#pragma once

#include <functional>
#include <memory>

#include "base/time.h"

namespace virtseer::platform {

/// Ends libvirt's objects on threads of its own: closing a connection or a stream asks the daemon,
/// which may be slow or hung, so neither the loop nor the event thread may do it. A few at a time,
/// since a job on a hung connection ends only when its keepalive gives up. Any thread.
class Closer {
 public:
  Closer();
  /// Waits for the waiting jobs up to `kPatience`; what is left then ends on the abandoned thread.
  ~Closer();
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;

  static constexpr Millis kPatience{2000};
  static constexpr std::size_t kMaxThreads = 8;

  struct Core;
  /// For objects that may outlive the closer: close() runs the job at once if the closer is gone.
  std::shared_ptr<Core> core() const { return core_; }
  static void close(const std::shared_ptr<Core>& core, std::function<void()> job);

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace virtseer::platform
