#include "base/pool.h"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <future>
#include <thread>

#include "base/task_group.h"

using namespace virtseer;
namespace asio = boost::asio;

namespace {

/// A loop with a pool and a group, run until every coroutine has ended.
struct World {
  asio::io_context io;
  BlockingPool pool;
  std::vector<std::string> failures;
  TaskGroup tasks{io.get_executor(), [this](const std::string& name, const std::string& what) {
                    failures.push_back(name + ": " + what);
                  }};
  explicit World(BlockingPool::Limits limits = {}) : pool(io.get_executor(), "test", limits) {}
  void run() {
    io.restart();
    io.run();
  }
};

/// Blocks a thread until it is let go, as a hung call would.
struct Gate {
  std::promise<void> promise;
  std::shared_future<void> open = promise.get_future().share();
};

asio::awaitable<void> answer(BlockingPool& pool, std::thread::id& thread, int& result) {
  const auto got = co_await pool.run("sum", Millis(60'000), [&]() -> Result<int> {
    thread = std::this_thread::get_id();
    return 42;
  });
  result = got.value();
}

asio::awaitable<void> keep(BlockingPool& pool, Millis deadline, std::shared_future<void> open,
                           std::vector<Result<int>>& results) {
  results.push_back(co_await pool.run("slow call", deadline, [open]() -> Result<int> {
    open.wait();
    return 1;
  }));
}

/// Calls until so many threads are stuck: on a busy machine a deadline may pass before a thread
/// takes the call.
void stick(World& world, std::size_t threads, const std::function<void(Millis)>& call) {
  for (int calls = 1; world.pool.counts().abandoned < threads; ++calls) {
    REQUIRE(calls < 100);
    call(Millis(10 * calls));
    world.run();
  }
}

void hang(World& world, const Gate& gate, std::size_t threads, std::vector<Result<int>>& results) {
  stick(world, threads, [&](Millis deadline) {
    world.tasks.spawn("hangs", keep(world.pool, deadline, gate.open, results));
  });
}

asio::awaitable<void> thrower(BlockingPool& pool, Error& error) {
  const auto got = co_await pool.run("bad call", Millis(60'000),
                                     []() -> Result<int> { throw std::runtime_error("broken"); });
  error = got.error();
}

asio::awaitable<void> throws() {
  throw std::runtime_error("it failed");
  co_return;
}

asio::awaitable<void> waitsForEver() {
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

TEST_CASE("a job runs on another thread and its result comes back to the loop") {
  World world;
  std::thread::id thread;
  int result = 0;
  world.tasks.spawn("answer", answer(world.pool, thread, result));
  world.run();
  CHECK(result == 42);
  CHECK(thread != std::this_thread::get_id());
  CHECK(world.tasks.size() == 0);
}

TEST_CASE("a call past its deadline is abandoned and the pool goes on with a new thread") {
  World world({.threads = 1, .queue = 4, .abandoned = 1});
  Gate gate;
  std::vector<Result<int>> late;
  hang(world, gate, 1, late);
  CHECK(late[0].error().code == Code::timeout);
  CHECK(late[0].error().message == "slow call: no answer in time");
  CHECK(world.pool.counts().abandoned == 1);

  std::thread::id thread;
  int result = 0;
  world.tasks.spawn("answer", answer(world.pool, thread, result));
  world.run();
  CHECK(result == 42);
  gate.promise.set_value();
}

TEST_CASE("when every thread the bound allows is stuck, calls are refused at once") {
  World world({.threads = 1, .queue = 4, .abandoned = 1});
  Gate gate;
  std::vector<Result<int>> results;
  hang(world, gate, 2, results);
  world.tasks.spawn("refused", keep(world.pool, Millis(60'000), gate.open, results));
  world.run();
  CHECK(results.back().error().code == Code::busy);
  CHECK(world.pool.counts().refused_total == 1);
  gate.promise.set_value();
}

TEST_CASE("a full queue refuses") {
  World world({.threads = 1, .queue = 1, .abandoned = 0});
  Gate gate;
  std::vector<Result<int>> results;
  for (int i = 0; i < 4; ++i)
    world.tasks.spawn("job", keep(world.pool, Millis(60'000), gate.open, results));
  world.tasks.spawn("opens", [](Gate& to_open) -> asio::awaitable<void> {
    to_open.promise.set_value();
    co_return;
  }(gate));
  world.run();
  REQUIRE(results.size() == 4);
  const auto refused = std::count_if(results.begin(), results.end(), [](const auto& result) {
    return !result && result.error().code == Code::busy;
  });
  CHECK(refused >= 2);
}

TEST_CASE("a job that throws is a failure with its words") {
  World world;
  Error error;
  world.tasks.spawn("thrower", thrower(world.pool, error));
  world.run();
  CHECK(error == Error{Code::failed, "bad call: broken"});
}

TEST_CASE("a closed pool takes no more") {
  World world;
  world.pool.close();
  std::vector<Result<int>> results;
  world.tasks.spawn("late", keep(world.pool, Millis(60'000), {}, results));
  world.run();
  CHECK(results.at(0).error().code == Code::cancelled);
}

TEST_CASE("a coroutine that throws is reported by its name, one that is cancelled is not") {
  World world;
  world.tasks.spawn("faulty", throws());
  world.tasks.spawn("patient", waitsForEver());
  world.io.poll();
  CHECK(world.failures == std::vector<std::string>{"faulty: it failed"});
  CHECK(world.tasks.names() == std::vector<std::string>{"patient"});
  world.tasks.cancel();
  world.run();
  CHECK(world.tasks.size() == 0);
  CHECK(world.failures.size() == 1);
  world.tasks.spawn("too late", throws());
  CHECK(world.tasks.size() == 0);
}

namespace {

/// What a test and the value of an abandoned call share.
struct Asked {
  BlockingPool& pool;
  std::promise<bool> usable{};
  std::thread thread{};
};

/// Asks the pool something on another thread while it is being destroyed.
struct Curious {
  Asked& asked;
  explicit Curious(Asked& where) : asked(where) {}
  Curious(const Curious&) = delete;
  Curious& operator=(const Curious&) = delete;
  ~Curious() {
    auto answered = std::make_shared<std::promise<void>>();
    auto answer = answered->get_future();
    asked.thread = std::thread([&pool = asked.pool, answered] {
      pool.counts();
      answered->set_value();
    });
    asked.usable.set_value(answer.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
  }
};

asio::awaitable<void> curious(BlockingPool& pool, Millis deadline, std::shared_future<void> open,
                              Asked& asked, bool& timed_out) {
  using Value = std::shared_ptr<Curious>;
  const auto got = co_await pool.run("slow call", deadline, [open, &asked]() -> Result<Value> {
    open.wait();
    return std::make_shared<Curious>(asked);
  });
  timed_out = !got;
}

}  // namespace

TEST_CASE("what an abandoned call returns is destroyed while the pool can be used") {
  World world;
  Gate gate;
  Asked asked{.pool = world.pool};
  bool timed_out = false;
  stick(world, 1, [&](Millis deadline) {
    world.tasks.spawn("hangs", curious(world.pool, deadline, gate.open, asked, timed_out));
  });
  REQUIRE(timed_out);
  gate.promise.set_value();
  CHECK(asked.usable.get_future().get());
  asked.thread.join();
}
