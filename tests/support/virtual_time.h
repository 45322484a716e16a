#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <functional>
#include <vector>

#include "base/time.h"

namespace virtseer::test {

/// A loop whose coroutines wait for a clock that the test turns: `pause()` returns once `run()` has
/// brought the clock there. Nothing waits for real time. The coroutines must end before it.
class VirtualTime {
 public:
  explicit VirtualTime(ManualClock& clock) : clock_(clock) {}

  boost::asio::io_context& loop() { return loop_; }
  ManualClock& clock() { return clock_; }

  /// To be given to code under test as its act::Pause.
  boost::asio::awaitable<void> pause(Millis span) {
    Sleeper sleeper{clock_.mono() + span, boost::asio::steady_timer(loop_), false};
    sleeper.timer.expires_at(boost::asio::steady_timer::time_point::max());
    const Listed listed(sleepers_, sleeper);
    boost::system::error_code ignored;
    co_await sleeper.timer.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    if (!sleeper.due) throw boost::system::system_error(boost::asio::error::operation_aborted);
  }

  /// What is to be done after each step of the clock, before sleepers wake: a world to be moved on.
  void onStep(std::function<void(Millis)> world) { worlds_.push_back(std::move(world)); }
  /// What must hold after each step, when everything has come to rest.
  void always(std::function<void()> check) { checks_.push_back(std::move(check)); }

  /// Runs what is ready until everything waits.
  void settle() {
    do loop_.restart();
    while (loop_.poll() > 0);
    for (const auto& check : checks_) check();
  }

  /// Lets this much time pass, in steps of `step`.
  void run(Millis span) {
    settle();
    for (const auto end = clock_.mono() + span; clock_.mono() < end; settle()) advance();
  }

  /// Lets time pass until `done` holds; false if it does not within `most`.
  bool runUntil(const std::function<bool()>& done, Millis most) {
    settle();
    for (const auto end = clock_.mono() + most; !done(); settle()) {
      if (clock_.mono() >= end) return false;
      advance();
    }
    return true;
  }

  Millis step{100};

 private:
  struct Sleeper {
    std::chrono::steady_clock::time_point until;
    boost::asio::steady_timer timer;
    bool due;
  };
  struct Listed {
    Listed(std::vector<Sleeper*>& all, Sleeper& one) : all(all), one(&one) { all.push_back(&one); }
    ~Listed() { std::erase(all, one); }
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;
    std::vector<Sleeper*>& all;
    Sleeper* one;
  };

  void advance() {
    clock_.advance(step);
    for (const auto& world : worlds_) world(step);
    for (auto* sleeper : sleepers_) {
      if (sleeper->until > clock_.mono()) continue;
      sleeper->due = true;
      sleeper->timer.cancel();
    }
  }

  ManualClock& clock_;
  boost::asio::io_context loop_;
  std::vector<Sleeper*> sleepers_;
  std::vector<std::function<void(Millis)>> worlds_;
  std::vector<std::function<void()>> checks_;
};

}  // namespace virtseer::test
