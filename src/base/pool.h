#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "base/result.h"
#include "base/time.h"

namespace virtseer {

/// A small bounded pool for calls that block (libvirt, RocksDB, files). The loop awaits their
/// result with a deadline; a call that passes it is *abandoned*: the caller goes on with
/// Code::timeout, the call's thread is replaced until `limits.abandoned` of them are stuck, then
/// further calls are refused with Code::busy. So nothing waits for ever, and the number of threads
/// has a bound.
///
/// Made, called and destroyed on the loop's thread. Jobs run on the pool's threads and must own all
/// they touch (they may outlive the caller once abandoned).
class BlockingPool {
 public:
  struct Limits {
    std::size_t threads = 2;
    std::size_t queue = 256;    ///< jobs waiting for a thread
    std::size_t abandoned = 4;  ///< threads stuck in calls past their deadline
  };
  struct Counts {
    std::size_t waiting = 0;
    std::size_t running = 0;    ///< abandoned ones apart
    std::size_t abandoned = 0;  ///< now
    std::uint64_t abandoned_total = 0;
    std::uint64_t refused_total = 0;
  };

  BlockingPool(boost::asio::any_io_executor loop, std::string name, Limits limits);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  /// Runs `job` (returns Result<T>) on a thread of the pool and comes back to the loop with what it
  /// returned, or with timeout, busy (queue full), cancelled (pool closed) or failed (it threw).
  /// `what` names the call in messages. Cancelling the awaiting coroutine abandons the call.
  template <class Job>
  boost::asio::awaitable<std::invoke_result_t<Job&>> run(std::string what, Millis deadline,
                                                         Job job) {
    using R = std::invoke_result_t<Job&>;
    struct Call {
      explicit Call(boost::asio::any_io_executor executor) : done(std::move(executor)) {}
      boost::asio::steady_timer done;  // its expiry is the deadline, its cancellation the result
      std::optional<R> result;
    };
    // The coroutine alone owns the timer: a thread that is stuck may outlive the loop.
    const auto call = std::make_shared<Call>(loop_);
    const std::weak_ptr<Call> waiting = call;
    call->done.expires_after(deadline);
    // The callable is owned by `slot` until it runs, so that nothing of it is destroyed on the loop
    // while a thread still uses it.
    auto slot = std::make_shared<Job>(std::move(job));
    const auto ticket = submit([slot, waiting, what]() -> std::function<void()> {
      auto result = std::make_shared<R>(guarded<R>(*slot, what));
      return [waiting, result] {
        const auto caller = waiting.lock();
        if (!caller) return;
        caller->result = std::move(*result);
        caller->done.cancel();
      };
    });
    if (!ticket) co_return fail(ticket.error().in(what));
    boost::system::error_code ignored;
    co_await call->done.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    if (call->result) co_return std::move(*call->result);
    abandon(*ticket);
    co_return fail(Code::timeout, what + ": no answer in time");
  }

  Counts counts() const;

  /// Refuses new jobs, drops waiting ones, waits for running ones (not for abandoned ones).
  void close();

 private:
  struct Core;
  using Ticket = std::uint64_t;
  /// A job returns what is to be run on the loop when it has ended.
  using Work = std::function<std::function<void()>()>;

  template <class R, class Job>
  static R guarded(Job& job, const std::string& what) {
    try {
      return job();
    } catch (const std::exception& error) {
      return fail(Code::failed, what + ": " + error.what());
    }
  }

  Result<Ticket> submit(Work work);
  void abandon(Ticket ticket);

  boost::asio::any_io_executor loop_;
  std::shared_ptr<Core> core_;
};

}  // namespace virtseer
