#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>

#include "base/time.h"

namespace virtseer::act {

/// How a coroutine of acting waits: by a timer of the loop, or in simulations by a clock that the
/// test turns. Ends with an exception when the coroutine is cancelled.
using Pause = std::function<boost::asio::awaitable<void>(Millis)>;

/// By a timer of the loop that the coroutine runs on.
inline boost::asio::awaitable<void> timerPause(Millis span) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, span);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace virtseer::act
