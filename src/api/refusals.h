#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace virtseer::api {

/// Whether a problem refuses a request by a bound or for lack of a right, in contrast to one that
/// was wrong or asked for what is not there.
bool isRefusal(unsigned status, std::string_view code);

/// Refusals of one kind, told at most once a minute. One thread at a time.
class Refusals {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// What should be logged now, if anything: how many there were since it was last told, and the
  /// last one. `from` is a peer's address, `why` one sentence; both are escaped.
  std::optional<std::string> add(Time now, std::string_view from, std::string_view why);

 private:
  std::optional<Time> told_;
  std::uint64_t untold_ = 0;
};

}  // namespace virtseer::api
