#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace virtseer::platform {

/// The loop's side of a channel: bytes that came, how far writing got, and the end. Loop thread
/// only. Shared between the channel and whoever feeds it, so that either may go first.
class Inbox {
 public:
  explicit Inbox(boost::asio::any_io_executor loop);

  void push(std::string_view bytes);
  /// Nothing more comes; the first reason stays. Bytes that wait are still read.
  void end(Error why);
  bool ended() const { return end_.has_value(); }
  const std::optional<Error>& reason() const { return end_; }
  std::size_t unread() const { return bytes_.size() - place_; }

  /// Whoever reads works on one piece at a time, and lets the loop turn in between.
  static constexpr std::size_t kMaxTake = 64 * 1024;
  /// Bytes that wait, at most kMaxTake of them, or, once there are none, why there will be none.
  static boost::asio::awaitable<Result<std::string>> take(std::shared_ptr<Inbox> inbox);

  /// `total` bytes, counted from the channel's beginning, were handed to the other side.
  void sent(std::uint64_t total);
  /// Returns when `total` bytes were handed over, or with the reason of the end.
  static boost::asio::awaitable<Result<void>> waitSent(std::shared_ptr<Inbox> inbox,
                                                       std::uint64_t total);

 private:
  boost::asio::steady_timer readable_;
  boost::asio::steady_timer written_;
  std::string bytes_;
  std::size_t place_ = 0;  ///< bytes before this one are taken
  std::uint64_t sent_ = 0;
  std::optional<Error> end_;
};

}  // namespace virtseer::platform
