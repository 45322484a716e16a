#pragma once

#include <utility>

namespace virtseer::platform {

/// Who finishes a stream that one thread may be sending on while another closes it: exactly one of
/// them, once, and never while the sender is at it. Not thread-safe: the stream's mutex guards it.
class StreamEnd {
 public:
  /// From now on nobody is to touch the stream. True: the caller finishes it, now.
  bool close() {
    closed_ = true;
    return !sending_ && claim();
  }
  /// True: the caller is the sender, until endSending().
  bool beginSending() {
    if (sending_ || closed_) return false;
    sending_ = true;
    return true;
  }
  /// True: it was closed meanwhile, and the caller has it finished.
  bool endSending() {
    sending_ = false;
    return closed_ && claim();
  }
  bool closed() const { return closed_; }

 private:
  bool claim() { return !std::exchange(claimed_, true); }

  bool closed_ = false;
  bool sending_ = false;
  bool claimed_ = false;
};

}  // namespace virtseer::platform
