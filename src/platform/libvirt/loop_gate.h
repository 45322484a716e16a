#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

namespace virtseer::platform {

/// The way from libvirt's threads to the loop. Its owner shuts it before the loop may go; what is
/// posted later is dropped. Any thread.
class LoopGate {
 public:
  explicit LoopGate(boost::asio::any_io_executor loop) : loop_(std::move(loop)) {}

  /// Runs `task` on the loop; false if the gate is shut.
  template <class Task>
  bool post(Task task) {
    const std::lock_guard lock(mutex_);
    if (shut_) return false;
    boost::asio::post(loop_, std::move(task));
    return true;
  }

  void shut() {
    const std::lock_guard lock(mutex_);
    shut_ = true;
  }

 private:
  std::mutex mutex_;
  bool shut_ = false;
  boost::asio::any_io_executor loop_;
};

}  // namespace virtseer::platform
