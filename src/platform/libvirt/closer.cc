#include "platform/libvirt/closer.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace virtseer::platform {

struct Closer::Core : std::enable_shared_from_this<Core> {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> jobs;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool closed = false;

  /// With the mutex held.
  void grow() {
    if (jobs.size() <= idle || threads >= kMaxThreads) return;
    ++threads;
    std::thread([core = shared_from_this()] { core->work(); }).detach();
  }

  void work() {
    pthread_setname_np(pthread_self(), "libvirt-closer");
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      changed.wait(lock, [&] { return closed || !jobs.empty(); });
      --idle;
      if (jobs.empty()) break;
      auto job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
    --threads;
    changed.notify_all();
  }
};

Closer::Closer() : core_(std::make_shared<Core>()) {}

Closer::~Closer() {
  std::unique_lock lock(core_->mutex);
  core_->closed = true;
  core_->changed.notify_all();
  core_->changed.wait_for(lock, kPatience, [&] { return core_->threads == 0; });
}

void Closer::close(const std::shared_ptr<Core>& core, std::function<void()> job) {
  {
    const std::lock_guard lock(core->mutex);
    if (!core->closed || core->threads > 0) {
      core->jobs.push_back(std::move(job));
      core->grow();
      core->changed.notify_one();
      return;
    }
  }
  job();
}

}  // namespace virtseer::platform
