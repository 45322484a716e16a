#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/hand_over.h"
#include "model/operation.h"
#include "model/reservation.h"

namespace virtseer::act {

/// The daemon of another host. Loop thread; every call has a deadline of a few seconds. The message
/// of an error names the host.
/// Code::unreachable and Code::timeout mean silence, from which nothing follows; every other
/// failure is an answer, but Code::cancelled, which is the end of a question that was given up
/// here.
class Peer {
 public:
  virtual ~Peer() = default;

  virtual std::string name() const = 0;          ///< as configured
  virtual std::optional<Uuid> host() const = 0;  ///< known once it has answered
  virtual std::string migrationUri() const = 0;  ///< what our libvirtd connects to

  /// Pre-flight at the destination, then room. refused, full, busy, invalid: see decide::Ledger.
  virtual boost::asio::awaitable<Result<ReserveAnswer>> reserve(ReserveOrder order) = 0;
  virtual boost::asio::awaitable<Result<Reservation>> renew(std::string operation) = 0;
  /// Gives room back; the arrival ends there if the VM is not there.
  virtual boost::asio::awaitable<Result<void>> release(std::string operation) = 0;
  /// Asked of that host's libvirt for this question.
  virtual boost::asio::awaitable<Result<RemoteVm>> vm(Uuid vm) = 0;
  /// The source's copy is proven off and verification held: the VM is the destination's.
  virtual boost::asio::awaitable<Result<void>> commit(std::string operation, CommitOrder order) = 0;
  /// The token of the VM's agent, a secret, once the VM is the destination's. not_found also from a
  /// daemon that knows no such question.
  virtual boost::asio::awaitable<Result<void>> takeToken(std::string operation,
                                                         std::string token) = 0;
  /// The VM died at the destination after switch-over: start it there once.
  virtual boost::asio::awaitable<Result<void>> revive(std::string operation) = 0;
  /// Asks the daemon there to move the VM of this operation back to us; the new operation.
  virtual boost::asio::awaitable<Result<Operation>> sendBack(std::string operation) = 0;
  virtual boost::asio::awaitable<Result<Operation>> operation(std::string id) = 0;
  virtual boost::asio::awaitable<Result<void>> setMaintenance(bool on) = 0;

  /// True if the port that libvirt's migration URI names answers: a refused connection is an
  /// answer, since then the host and the way to it are there.
  virtual boost::asio::awaitable<bool> libvirtAnswers() = 0;
};

/// All peers of this daemon. Loop thread.
class Peers {
 public:
  virtual ~Peers() = default;
  virtual std::vector<std::shared_ptr<Peer>> all() = 0;
  /// By name or UUID; not_found names those that there are.
  virtual Result<std::shared_ptr<Peer>> find(const std::string& host) = 0;
};

}  // namespace virtseer::act
