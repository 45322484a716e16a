#pragma once

#include <functional>
#include <memory>

#include "act/peer.h"
#include "fleet/answer.h"
#include "fleet/http.h"
#include "fleet/peers.h"

namespace virtseer::fleet {

/// What all peers of a daemon share. Loop thread.
struct Network {
  explicit Network(boost::asio::any_io_executor loop)
      : lookup(loop), readers(loop, "fleet", {.threads = 1, .queue = 64, .abandoned = 1}) {}

  Lookup lookup;
  BlockingPool readers;  ///< of long answers
};

/// One daemon, over REST. Every failure's message begins with the peer's name.
class HttpPeer final : public act::Peer, public std::enable_shared_from_this<HttpPeer> {
 public:
  HttpPeer(std::shared_ptr<Network> network, const Clock& clock, PeerOptions options);

  std::string name() const override { return options_.name; }
  std::optional<Uuid> host() const override { return known_.host; }
  std::string migrationUri() const override { return options_.migration_uri; }

  boost::asio::awaitable<Result<ReserveAnswer>> reserve(ReserveOrder order) override;
  boost::asio::awaitable<Result<Reservation>> renew(std::string operation) override;
  boost::asio::awaitable<Result<void>> release(std::string operation) override;
  boost::asio::awaitable<Result<RemoteVm>> vm(Uuid vm) override;
  boost::asio::awaitable<Result<void>> commit(std::string operation, CommitOrder order) override;
  boost::asio::awaitable<Result<void>> takeToken(std::string operation, std::string token) override;
  boost::asio::awaitable<Result<void>> revive(std::string operation) override;
  boost::asio::awaitable<Result<Operation>> sendBack(std::string operation) override;
  boost::asio::awaitable<Result<Operation>> operation(std::string id) override;
  boost::asio::awaitable<Result<void>> setMaintenance(bool on) override;
  boost::asio::awaitable<bool> libvirtAnswers() override;

  /// Asks for its host's state at this interval and keeps it; until cancelled.
  boost::asio::awaitable<void> follow(Millis interval);
  const PeerState& known() const { return known_; }

 private:
  boost::asio::awaitable<Result<std::string>> ask(HttpRequest request, Deadline deadline);
  boost::asio::awaitable<Result<std::string>> post(std::string target, std::string body);
  /// `verb` below the reservation of this operation.
  boost::asio::awaitable<Result<std::string>> order(std::string operation, std::string verb,
                                                    std::string body);
  boost::asio::awaitable<Result<FleetState>> askState();
  boost::asio::awaitable<void> askOnce();
  void keep(Result<FleetState> told);
  Deadline deadline() const { return std::chrono::steady_clock::now() + options_.deadline; }
  Error mine(const Error& error) const { return error.in(options_.name); }
  template <class T>
  Result<T> understood(Result<T> read) const {
    if (read) return read;
    return fail(mine(misunderstood(read.error())));
  }

  std::shared_ptr<Network> network_;
  const Clock& clock_;
  PeerOptions options_;
  Result<Address> address_;
  PeerState known_;
};

/// `state` as if its host's clock were ours, when it was told at `heard`.
FleetState byOurClock(FleetState state, Timestamp heard);

}  // namespace virtseer::fleet
