#include "platform/inbox.h"

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
  while (inbox->bytes_.empty()) {
    if (inbox->end_) co_return fail(*inbox->end_);
    co_await waitOn(inbox->readable_);
  }
  co_return std::exchange(inbox->bytes_, {});
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
