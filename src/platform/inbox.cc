#include "platform/inbox.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace virtseer::platform {

namespace asio = boost::asio;

namespace {

/// Waits until the timer's waits are cancelled: the loop's way of a condition variable.
asio::awaitable<void> waitOn(asio::steady_timer& timer) {
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

Inbox::Inbox(asio::any_io_executor loop) : readable_(loop), written_(std::move(loop)) {
  readable_.expires_at(asio::steady_timer::time_point::max());
  written_.expires_at(asio::steady_timer::time_point::max());
}

void Inbox::push(std::string_view bytes) {
  if (end_ || bytes.empty()) return;
  // Not with every piece taken: what a flood left is moved only so often.
  if (place_ >= bytes_.size() - place_) bytes_.erase(0, std::exchange(place_, 0));
  bytes_.append(bytes);
  readable_.cancel();
}

void Inbox::end(Error why) {
  if (end_) return;
  end_ = std::move(why);
  readable_.cancel();
  written_.cancel();
}

asio::awaitable<Result<std::string>> Inbox::take(std::shared_ptr<Inbox> inbox) {
  while (inbox->unread() == 0) {
    if (inbox->end_) co_return fail(*inbox->end_);
    co_await waitOn(inbox->readable_);
  }
  auto piece = inbox->bytes_.substr(inbox->place_, kMaxTake);
  inbox->place_ += piece.size();
  if (inbox->unread() == 0) {
    inbox->bytes_ = {};
    inbox->place_ = 0;
  }
  co_return piece;
}

void Inbox::sent(std::uint64_t total) {
  sent_ = std::max(sent_, total);
  written_.cancel();
}

asio::awaitable<Result<void>> Inbox::waitSent(std::shared_ptr<Inbox> inbox, std::uint64_t total) {
  while (inbox->sent_ < total) {
    if (inbox->end_) co_return fail(*inbox->end_);
    co_await waitOn(inbox->written_);
  }
  co_return Result<void>();
}

}  // namespace virtseer::platform
