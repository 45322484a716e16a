#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>

namespace virtseer::daemon {

/// Measures how late the loop runs what is due: a timer every 100 ms whose delay beyond its expiry
/// is the lag. Loop thread only.
class LoopLag {
 public:
  /// Runs until cancelled.
  boost::asio::awaitable<void> run();

  /// The worst lag of the last minute, in seconds.
  double worst() const;

  /// When the loop last ran this: what feeds the watchdog.
  std::chrono::steady_clock::time_point ticked() const { return ticked_; }

 private:
  static constexpr std::chrono::milliseconds kPeriod{100};
  static constexpr std::size_t kSlots = 60;  // one a second

  std::array<double, kSlots> worst_of_second_{};
  std::size_t ticks_ = 0;
  std::chrono::steady_clock::time_point ticked_ = std::chrono::steady_clock::now();
};

}  // namespace virtseer::daemon
