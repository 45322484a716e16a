#include "daemon/loop_lag.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace virtseer::daemon {

namespace asio = boost::asio;

asio::awaitable<void> LoopLag::run() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  constexpr std::size_t kTicksPerSecond = std::chrono::seconds(1) / kPeriod;
  for (;;) {
    const auto due = std::chrono::steady_clock::now() + kPeriod;
    timer.expires_at(due);
    co_await timer.async_wait(asio::use_awaitable);
    ticked_ = std::chrono::steady_clock::now();
    const std::size_t slot = ticks_ / kTicksPerSecond % kSlots;
    if (ticks_ % kTicksPerSecond == 0) worst_of_second_[slot] = 0;
    ++ticks_;
    const double lag = std::chrono::duration<double>(ticked_ - due).count();
    worst_of_second_[slot] = std::max(worst_of_second_[slot], lag);
  }
}

double LoopLag::worst() const {
  return *std::max_element(worst_of_second_.begin(), worst_of_second_.end());
}

}  // namespace virtseer::daemon
