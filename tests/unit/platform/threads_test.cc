#include <catch2/catch.hpp>
#include <future>

#include "platform/libvirt/closer.h"
#include "platform/libvirt/event_thread.h"

using namespace virtseer;
using namespace virtseer::platform;

TEST_CASE("the event thread runs tasks, ticks, and can be started again") {
  for (int round = 0; round < 3; ++round) {
    const auto thread = EventThread::shared();
    CHECK(EventThread::shared() == thread);
    const auto before = thread->tick();
    std::promise<std::thread::id> ran;
    auto where = ran.get_future();
    thread->post([&] { ran.set_value(std::this_thread::get_id()); });
    REQUIRE(where.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
    CHECK(where.get() != std::this_thread::get_id());
    CHECK(thread->tick() >= before);
  }
}

TEST_CASE("the closer finishes what waits before it goes") {
  int ended = 0;
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
