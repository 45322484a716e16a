#include "platform/libvirt/event_thread.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>

#include <csignal>

#include "base/log.h"

namespace virtseer::platform {

namespace {

constexpr int kTurnMs = 1000;
/// Freeing a handle may free another in turn; each takes one more turn of libvirt's loop.
constexpr int kLastTurns = 8;

/// libvirt prints every error to standard error unless told otherwise; each is returned as well.
void ignoreError(void*, virErrorPtr) noexcept {}

bool prepareLibvirt() {
  // libvirt writes to sockets whose other end may just have closed.
  std::signal(SIGPIPE, SIG_IGN);
  virSetErrorFunc(nullptr, ignoreError);
  return virInitialize() == 0 && virEventRegisterDefaultImpl() == 0;
}

std::chrono::steady_clock::rep nowTicks() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace

std::shared_ptr<EventThread> EventThread::shared() {
  static std::mutex mutex;
  static std::weak_ptr<EventThread> running;
  static const bool prepared = prepareLibvirt();
  if (!prepared) log(Level::error, "libvirt cannot be initialized");
  const std::lock_guard lock(mutex);
  auto thread = running.lock();
  if (!thread) running = thread = std::make_shared<EventThread>();
  return thread;
}

EventThread::EventThread() : tick_(nowTicks()) {
  timer_ = virEventAddTimeout(kTurnMs, &EventThread::onTimer, this, nullptr);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "libvirt-events");
    while (!stopping_) turn();
    virEventUpdateTimeout(timer_, 0);
    for (int i = 0; i < kLastTurns; ++i) turn();
  });
}

EventThread::~EventThread() {
  stopping_ = true;
  virEventUpdateTimeout(timer_, 0);
  thread_.join();
  virEventRemoveTimeout(timer_);
}

std::chrono::steady_clock::time_point EventThread::tick() const {
  return std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(tick_.load()));
}

void EventThread::release(std::shared_ptr<void> object) {
  {
    const std::lock_guard lock(mutex_);
    released_.push_back(std::move(object));
  }
  virEventUpdateTimeout(timer_, 0);
}

void EventThread::onTimer(int timer, void* self) noexcept {
  auto& thread = *static_cast<EventThread*>(self);
  if (!thread.stopping_) virEventUpdateTimeout(timer, kTurnMs);
  std::vector<std::shared_ptr<void>> released;  // dropped after the lock
  const std::lock_guard lock(thread.mutex_);
  released.swap(thread.released_);
}

void EventThread::turn() noexcept {
  // It fails when nothing is registered to wait for; the timer always is, so a failure is a fault
  // of poll() itself and must not become a busy loop.
  if (virEventRunDefaultImpl() < 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  tick_ = nowTicks();
}

}  // namespace virtseer::platform
