#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "act/peer.h"
#include "base/time.h"
#include "model/hand_over.h"

namespace virtseer::fleet {

/// A peer as the configuration names it.
struct PeerOptions {
  std::string name;
  std::string url;            ///< http://HOST:PORT
  std::string token;          ///< of the daemon there; a secret
  std::string migration_uri;  ///< "qemu+tls://HOST/system"; its host and port tell libvirt's port
  Millis deadline{5000};      ///< of one request
};

/// What is known of a peer's host, by our own clock.
struct PeerState {
  std::string name;
  std::optional<Uuid> host;
  std::optional<FleetState> state;  ///< the last one told, its times shifted to our clock
  std::optional<Timestamp> heard;   ///< when it was told
  bool answers = false;             ///< the last question was answered
  std::string error;                ///< why not
};

/// The daemons of the other hosts, over REST. Loop thread.
class HttpPeers final : public act::Peers {
 public:
  HttpPeers(boost::asio::any_io_executor loop, const Clock& clock, std::vector<PeerOptions> peers);
  ~HttpPeers() override;

  std::vector<std::shared_ptr<act::Peer>> all() override;
  Result<std::shared_ptr<act::Peer>> find(const std::string& host) override;

  /// Asks every peer for its state at this interval; runs until cancelled.
  boost::asio::awaitable<void> run(Millis interval);
  std::vector<PeerState> states() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace virtseer::fleet
