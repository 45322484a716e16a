#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"
#include "collect/token_bucket.h"
#include "virtseer/uuid.h"

namespace virtseer::collect {

/// Who may connect, of agents that call: bounds on all of them, on those that have not proved who
/// they are yet, and on what comes from one origin: how often it calls, and how often without the
/// right token. Every table is bounded.
///
/// An origin is an address, of IPv6 a whole /64, whose addresses any of its guests may take. An
/// address from which a VM logged in is an origin of its own, so that no guest can have those of
/// its neighbours turned away.
class CallerLimits {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  struct Options {
    std::size_t clients = 1024;  ///< at once
    std::size_t pending = 128;   ///< before their login, at once
    std::size_t pending_of_origin = 16;
    double calls = 64;  ///< of one origin at once
    double calls_per_second = 2;
    double offences = 5;            ///< of one origin at once
    Millis forgiven{10'000};        ///< each of them after this time
    std::size_t remembered = 4096;  ///< origins
  };
  enum class Verdict : std::uint8_t { welcome, full, barred };

  explicit CallerLimits(Options options) : options_(options) {}

  /// What the other calls count the caller by.
  const std::string& origin(const std::string& address, const std::string& network) const;

  /// Whether one more may connect. Counts it, where welcome, as a client that is pending.
  Verdict admit(const std::string& origin, Instant now);
  /// It proved who it is, or ended before. Once after each welcome.
  void settle(const std::string& origin);
  /// A client ended. Once after each welcome.
  void leave() { --clients_; }
  /// It gave a wrong token, or none.
  void offend(const std::string& origin, Instant now);
  /// It gave the right token of this VM: of each VM the last address counts.
  void prove(Uuid vm, const std::string& address);

  std::size_t clients() const { return clients_; }
  std::size_t pending() const { return pending_; }

 private:
  struct Origin {
    TokenBucket calls, offences;  ///< that it may still make
    std::size_t pending = 0;
  };

  Origin& of(const std::string& origin, Instant now);
  void forgetOne(Instant now);

  const Options options_;
  std::size_t clients_ = 0, pending_ = 0;
  std::map<std::string, Origin> origins_;
  std::map<Uuid, std::string> proved_;  ///< address of each VM
};

}  // namespace virtseer::collect
