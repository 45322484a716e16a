#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace virtseer::platform {

/// libvirt's default event loop on a thread of its own. libvirt has one event implementation per
/// process, set before the first connection and never replaced, hence shared(): the thread runs
/// from its first user to its last and may be started again.
class EventThread {
 public:
  static std::shared_ptr<EventThread> shared();

  EventThread();
  /// Lets libvirt finish what it still has to free, then joins. Not on the event thread.
  ~EventThread();
  EventThread(const EventThread&) = delete;
  EventThread& operator=(const EventThread&) = delete;

  /// When the loop last turned; it turns at least once per second. Any thread.
  std::chrono::steady_clock::time_point tick() const;

  /// Drops `object` on the event thread, after the callback that may run there now. Any thread.
  void release(std::shared_ptr<void> object);

 private:
  static void onTimer(int timer, void* self) noexcept;
  void turn() noexcept;

  std::atomic<std::chrono::steady_clock::rep> tick_;
  std::atomic<bool> stopping_ = false;
  int timer_ = -1;
  std::mutex mutex_;
  std::vector<std::shared_ptr<void>> released_;
  std::thread thread_;
};

}  // namespace virtseer::platform
