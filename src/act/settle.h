#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/operation.h"

namespace virtseer::act {

/// What both hosts say of a VM; absent: that host is silent.
struct BothSides {
  std::optional<Presence> source;
  std::optional<Presence> destination;
  bool asked_to_move = true;  ///< libvirt was told to migrate: a copy may be at the destination
  /// The destination knew the VM, as off, before the move: that it is off there proves nothing.
  bool known_there = false;
  bool moved = false;      ///< it was found to have moved to the destination before
  bool restarted = false;  ///< the source's copy was already started once more
  /// The source's copy ran on beside one at the destination, which therefore never is the VM.
  bool to_be_ended = false;
  /// The destination's daemon takes its copy for the VM, for good: it will not end it.
  bool confirmed = false;
  Millis unchanged{0};  ///< for how long both have said the same

  bool operator==(const BothSides&) const = default;
};

/// What the source's daemon is to do about its own copy. The destination's daemon alone acts on the
/// other one: see arrivals.h.
enum class Verdict : std::uint8_t {
  wait,            ///< it is still going on, or libvirt still clears up
  stayed,          ///< it runs at the source, and nowhere else
  moved,           ///< it runs at the destination, and the source's copy is off
  resume_source,   ///< it is paused at the source, and proven gone from the destination
  restart_source,  ///< its emulator died at the source, and it is proven gone from the destination
  drop_source,     ///< it runs at the destination; what is paused at the source is out of date
  revive_destination,  ///< it moved and died there
  conflict,            ///< both run: the destination's daemon is to end its copy
  uncertain,           ///< a host that may hold a copy is silent
  lost,                ///< by rule nothing may be done, for however long: a person is needed
};
std::string_view name(Verdict verdict);

/// Off by nobody's wish: its emulator died, or its host or libvirt there went down with it. Only
/// what libvirt gives a reason for is somebody's act.
bool died(const Presence& side);

/// libvirt's reason is this one; in words it stands behind the state: "paused: user".
bool because(const Presence& side, std::string_view reason);

struct Judgement {
  Verdict verdict = Verdict::wait;
  std::string words;
};

/// For how long both sides must have said the same before the source's copy is touched, or the move
/// is called off: what libvirt still clears up changes within it.
inline constexpr Millis kSettled{2'000};
/// Before a copy of the VM at the source is ended, since the destination's is the newer one.
inline constexpr Millis kOutOfDate{10'000};
/// Before copies at both hosts, whether they run or stand still, are left to a person; but for one
/// that the destination's daemon suspended, which it may resume: that one is told of.
inline constexpr Millis kGivenUp{60'000};

/// Rules 1 to 4 of acting as a table: never two running copies, never none; silence proves nothing.
Judgement judge(const BothSides& sides);

}  // namespace virtseer::act
