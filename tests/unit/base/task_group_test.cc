#include "base/task_group.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <stdexcept>

using namespace virtseer;
namespace asio = boost::asio;

namespace {

asio::awaitable<void> once(int* ended) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  ++*ended;
}

asio::awaitable<void> forever(bool* let_go) {
  asio::steady_timer never(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  try {
    co_await never.async_wait(asio::use_awaitable);
  } catch (const boost::system::system_error&) {
    *let_go = true;
    throw;
  }
}

asio::awaitable<void> failing() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  throw std::runtime_error("it broke");
}

/// A loop, and a group whose failures are written down.
struct World {
  asio::io_context loop{1};
  std::vector<std::string> failures;
  TaskGroup group{loop.get_executor(), [this](const std::string& name, const std::string& what) {
                    failures.push_back(name + ": " + what);
                  }};
};

}  // namespace

TEST_CASE("a cancelled coroutine ends, and that is no failure") {
  World world;
  bool let_go = false;
  world.group.spawn("waits", forever(&let_go));
  world.loop.poll();
  CHECK(world.group.names() == std::vector<std::string>{"waits"});
  const bool within = GENERATE(true, false);
  if (within)
    asio::post(world.loop, [&] { world.group.cancel(); });
  else
    world.group.cancel();
  world.loop.restart();
  world.loop.poll();
  CHECK(let_go);
  CHECK(world.group.size() == 0);
  CHECK(world.failures.empty());
}

TEST_CASE("a coroutine may end between a cancellation from outside of the loop and its turn") {
  World world;
  int ended = 0;
  for (int i = 0; i < 3; ++i) world.group.spawn("ends", once(&ended));
  while (world.loop.poll_one() && ended == 0 && world.group.size() == 3) {
    // One step at a time, so that cancel() comes before the last step of each of them.
    world.group.cancel();
  }
  world.loop.run();
  CHECK(world.group.size() == 0);
  CHECK(world.failures.empty());
}

TEST_CASE("a cancellation that was posted outlives the group") {
  asio::io_context loop(1);
  int ended = 0;
  {
    TaskGroup group(loop.get_executor(), [](const std::string&, const std::string&) {});
    group.spawn("ends", once(&ended));
    while (ended == 0) {
      group.cancel();
      loop.run_one();
    }
    while (group.size() > 0) loop.run_one();
  }
  loop.run();
  CHECK(ended == 1);
}

TEST_CASE("a failure is told with the name of its coroutine") {
  World world;
  world.group.spawn("breaks", failing());
  world.loop.run();
  CHECK(world.failures == std::vector<std::string>{"breaks: it broke"});
}

TEST_CASE(
    "a group joins once the last of its coroutines has ended, and starts none when cancelled") {
  World world;
  bool let_go = false, joined = false;
  int ended = 0;
  world.group.spawn("waits", forever(&let_go));
  asio::co_spawn(world.loop, world.group.join(), [&](std::exception_ptr) { joined = true; });
  world.loop.poll();
  CHECK_FALSE(joined);
  world.group.cancel();
  world.group.spawn("late", once(&ended));
  world.loop.restart();
  world.loop.run();
  CHECK(joined);
  CHECK(ended == 0);
}
