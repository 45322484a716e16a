#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "decide/reservations.h"
#include "model/hand_over.h"
#include "model/machine.h"
#include "model/operation.h"

/// What a destination writes down of a VM that is to come: the arrival as an operation. Pure.
namespace virtseer::act {

/// Bounds of what a source may send.
inline constexpr std::size_t kLongestName = 255;
inline constexpr std::size_t kLongestXml = 4 * 1024 * 1024;  // as libvirt's own protocol
inline constexpr std::size_t kMostSteps = 64;
inline constexpr std::size_t kMostMoves = 64;

/// Code::invalid with the member that is wrong. `self`: the host that is asked.
Result<void> wellFormed(const ReserveOrder& order, const Uuid& self,
                        const decide::LedgerRules& rules);

/// The claim of an order that is accepted.
Operation claimOf(const ReserveOrder& order, const Host& self, Timestamp now);
/// True if the order asks for what the claim is.
bool sameClaim(const Operation& claim, const ReserveOrder& order);
/// Room that the claim holds.
ReservationRequest roomFor(const Operation& claim);
Reservation reservationOf(const Operation& claim, Timestamp expires);

/// The claim with one more step, which says what is to be done or was found out. A step that says
/// the same as the last one is not kept twice; beyond the bound the second oldest goes.
Operation stepped(Operation claim, OperationState state, std::string note, Timestamp now);
/// The claim at its end.
Operation closed(Operation claim, OperationState state, std::string message, Timestamp now);

/// How far our own suspending of the copy here is. It is written down in the notes of the steps, so
/// that a daemon that comes back can tell its own acts from a person's.
enum class Grip : std::uint8_t {
  none,
  suspending,  ///< claimed, perhaps not done
  suspended,   ///< done: if it runs now, somebody else resumed it
  resuming,    ///< claimed, perhaps not done
};
inline constexpr std::string_view kSuspending = "suspending";
inline constexpr std::string_view kSuspended = "suspended";
inline constexpr std::string_view kResuming = "resuming";
Grip gripOf(const Operation& claim);
/// For so long after they were given up, suspending and ending may still take effect.
inline constexpr Millis kLateAct{60'000};

/// The note of the step before the copy here is ended begins so.
inline constexpr std::string_view kEnding = "the copy here is to be ended";
/// True if the copy here was ended by us, or was to be: it never is the VM, since the source's ran.
bool mayBeEnded(const Operation& claim);

/// The note of the step in which the copy was first seen running here.
inline constexpr std::string_view kRunsHere = "it runs here";

}  // namespace virtseer::act
