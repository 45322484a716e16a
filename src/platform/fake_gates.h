#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace virtseer::platform {

/// Where the calls of a fake come in: each is recorded, and a test may hold it or make it fail.
/// Loop thread only.
template <class Call>
class FakeGates {
 public:
  explicit FakeGates(boost::asio::any_io_executor loop) : loop_(std::move(loop)) {}

  /// The next `times` calls of this kind fail so, and do nothing.
  void failNext(Call call, Error error, int times = 1) {
    auto& failures = gate(call).failures;
    failures.insert(failures.end(), static_cast<std::size_t>(times), {std::move(error), false});
  }
  /// The next call of this kind takes effect, and its caller is told this error all the same.
  void loseReply(Call call, Error error) {
    gate(call).failures.push_back({std::move(error), true});
  }
  /// Calls of this kind wait until release(); those that wait then go on.
  void hold(Call call) { gate(call).closed = true; }
  void release(Call call) {
    gate(call).closed = false;
    gate(call).opened.cancel();
  }
  std::size_t held(Call call) const {
    const auto found = gates_.find(call);
    return found == gates_.end() ? 0 : found->second.waiting;
  }

  /// Every call that came, oldest first.
  const std::vector<std::string>& calls() const { return calls_; }
  std::size_t count(std::string_view prefix) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        calls_, [&](const std::string& call) { return call.starts_with(prefix); }));
  }

  /// Records the call and waits while it is held. An error: the call is to do nothing and fail so.
  /// A value: it takes effect; then its caller is told that value, where it is set.
  boost::asio::awaitable<Result<std::optional<Error>>> enter(Call call, std::string record) {
    calls_.push_back(std::move(record));
    auto& the_gate = gate(call);
    while (the_gate.closed) {
      const Waiting waiting(the_gate.waiting);
      boost::system::error_code ignored;
      co_await the_gate.opened.async_wait(
          boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    if (the_gate.failures.empty()) co_return std::nullopt;
    auto failure = std::move(the_gate.failures.front());
    the_gate.failures.erase(the_gate.failures.begin());
    if (!failure.takes_effect) co_return fail(std::move(failure.error));
    co_return std::move(failure.error);
  }

 private:
  struct Failure {
    Error error;
    bool takes_effect;
  };
  struct Gate {
    explicit Gate(boost::asio::any_io_executor loop)
        : opened(std::move(loop), boost::asio::steady_timer::time_point::max()) {}
    boost::asio::steady_timer opened;
    bool closed = false;
    std::size_t waiting = 0;
    std::vector<Failure> failures;
  };
  struct Waiting {
    explicit Waiting(std::size_t& the_count) : count(the_count) { ++count; }
    ~Waiting() { --count; }
    std::size_t& count;
  };

  Gate& gate(Call call) { return gates_.try_emplace(call, loop_).first->second; }

  boost::asio::any_io_executor loop_;
  std::map<Call, Gate> gates_;
  std::vector<std::string> calls_;
};

}  // namespace virtseer::platform
