#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "platform/libvirt/closer.h"
#include "platform/libvirt/event_thread.h"

using namespace virtseer;
using namespace virtseer::platform;

TEST_CASE("the event thread ticks, and can be started again after it ended") {
  for (int round = 0; round < 2; ++round) {
    const auto thread = EventThread::shared();
    CHECK(EventThread::shared() == thread);
    const auto before = thread->tick();
    const auto give_up = before + std::chrono::seconds(30);
    while (thread->tick() == before && std::chrono::steady_clock::now() < give_up)
      std::this_thread::yield();
    CHECK(thread->tick() > before);
  }
}

TEST_CASE("a job that hangs does not keep the closer from the others") {
  const Closer closer;
  std::promise<void> hang;
  std::promise<void> ended;
  Closer::close(closer.core(), [&, until = hang.get_future().share()] { until.wait(); });
  Closer::close(closer.core(), [&] { ended.set_value(); });
  CHECK(ended.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  hang.set_value();
}

TEST_CASE("the closer finishes what waits before it goes") {
  std::atomic<int> ended = 0;
  {
    const Closer closer;
    for (int i = 0; i < 10; ++i) Closer::close(closer.core(), [&] { ++ended; });
  }
  CHECK(ended == 10);
}

TEST_CASE("closing after the closer is gone happens at once") {
  std::shared_ptr<Closer::Core> core;
  {
    const Closer closer;
    core = closer.core();
  }
  bool ended = false;
  Closer::close(core, [&] { ended = true; });
  CHECK(ended);
}
