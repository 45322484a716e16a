#include "platform/libvirt/closer.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace virtseer::platform {

struct Closer::Core {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> jobs;
  bool closed = false;
  bool ended = false;

  void work() {
    pthread_setname_np(pthread_self(), "libvirt-closer");
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return closed || !jobs.empty(); });
      if (jobs.empty()) break;
      auto job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
    ended = true;
    changed.notify_all();
  }
};

Closer::Closer() : core_(std::make_shared<Core>()) {
  std::thread([core = core_] { core->work(); }).detach();
}

Closer::~Closer() {
  std::unique_lock lock(core_->mutex);
  core_->closed = true;
  core_->changed.notify_all();
  core_->changed.wait_for(lock, kPatience, [&] { return core_->ended; });
}

void Closer::close(const std::shared_ptr<Core>& core, std::function<void()> job) {
  {
    const std::lock_guard lock(core->mutex);
    if (!core->ended) {
      core->jobs.push_back(std::move(job));
      core->changed.notify_all();
      return;
    }
  }
  job();
}

}  // namespace virtseer::platform
