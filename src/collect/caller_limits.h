#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"

namespace virtseer::collect {

/// Who may connect, of agents that call: bounds on all of them, on those that have not proved who
/// they are yet, and on addresses that gave wrong tokens
/// or none. Every table is bounded.
class CallerLimits {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  struct Options {
    std::size_t clients = 1024;  ///< at once
    std::size_t pending = 128;   ///< before their login, at once
    std::size_t pending_of_address = 16;
    double offences = 5;           ///< of one address at once
    Millis forgiven{10'000};       ///< each of them after this time
    std::size_t addresses = 4096;  ///< that are remembered for offences
  };
  enum class Verdict : std::uint8_t { welcome, full, barred };

  explicit CallerLimits(Options options) : options_(options) {}

  /// Whether one more may connect. Counts it, where welcome, as a client that is pending.
  Verdict admit(const std::string& address, Instant now);
  /// It proved who it is, or ended before. Once after each welcome.
  void settle(const std::string& address);
  /// A client ended. Once after each welcome.
  void leave() { --clients_; }
  /// It gave a wrong token, or none.
  void offend(const std::string& address, Instant now);

  std::size_t clients() const { return clients_; }
  std::size_t pending() const { return pending_; }

 private:
  struct Offender {
    double left = 0;
    Instant at{};
  };

  double left(const Offender& offender, Instant now) const;
  void forgetOne(Instant now);

  const Options options_;
  std::size_t clients_ = 0, pending_ = 0;
  std::map<std::string, std::size_t> pending_of_;
  std::map<std::string, Offender> offenders_;
};

}  // namespace virtseer::collect
