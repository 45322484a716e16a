#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/reservation.h"

namespace virtseer::decide {

/// Bounds of a ledger.
struct LedgerRules {
  Millis lifetime = std::chrono::seconds(60);  ///< without a renewal
  std::size_t most = 16;                       ///< reservations at once
  std::size_t longest_id = 128;                ///< bytes of an operation's id
  double full = 1.0;                           ///< share of the cores that may be spoken for
};

/// What a host has promised to VMs that are to come: the destination's daemon alone keeps it, so
/// two who ask at once get one yes if there is room for one. A value; every call first drops what
/// has expired at `now`.
class Ledger {
 public:
  explicit Ledger(LedgerRules rules = {}) : rules_(rules) {}
  /// With what an earlier life wrote down; entries past the bound are dropped, soonest end first.
  Ledger(LedgerRules rules, std::vector<Reservation> kept);

  /// Holds room for one VM: for all its memory, and for its cores unless it may share. The same
  /// operation asking for the same again gets its reservation renewed; for something else,
  /// Code::invalid. Code::refused: maintenance, or another operation holds room for the same VM;
  /// Code::full: no room, with the numbers; Code::busy: the bound.
  Result<Reservation> request(const HostRoom& room, const ReservationRequest& wanted,
                              Timestamp now);
  /// Code::not_found if it has expired or never was: then the operation must ask again.
  Result<Reservation> renew(const std::string& operation, Timestamp now);
  /// Gives room back. Releasing twice, or what never was, does nothing.
  void release(const std::string& operation);
  /// Drops what has expired and returns it.
  std::vector<Reservation> expire(Timestamp now);

  /// What the cores lack for it, in words; empty if they are free.
  std::string shortage(const HostRoom& room, const ReservationRequest& wanted) const;

  /// By operation id.
  std::vector<Reservation> entries() const;
  std::size_t size() const { return entries_.size(); }

 private:
  Result<> fits(const HostRoom& room, const ReservationRequest& wanted) const;

  LedgerRules rules_;
  std::map<std::string, Reservation> entries_;
};

}  // namespace virtseer::decide
