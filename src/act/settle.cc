#include "act/settle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace virtseer::act {
namespace {

using State = Presence::State;
using Job = Presence::Job;

bool off(const Presence& side) {
  return side.state == State::off || side.state == State::absent;
}

/// Its vCPUs stand still for a reason that has nothing to do with the move, so they are not set
/// going: a person's word, a full disk, a guest that panicked.
bool heldByOthers(const Presence& side) {
  constexpr std::array<std::string_view, 5> kReasons{"user", "I/O error", "watchdog", "crashed",
                                                     "panicked"};
  return std::ranges::any_of(kReasons, [&](auto reason) { return because(side, reason); });
}

std::string told(const Presence& side) {
  auto text = std::string(name(side.state));
  if (side.crashed) text += ", crashed";
  if (side.unexplained) text += ", nobody knows why";
  if (!side.reason.empty()) text += " (" + printable(side.reason) + ")";
  return text;
}

Judgement wait(std::string words) {
  return {Verdict::wait, std::move(words)};
}

Judgement notAsked(const BothSides& sides) {
  if (!sides.source) return {Verdict::stayed, "nothing was asked to move"};
  return {Verdict::stayed, "nothing was asked to move; at the source it is " + told(*sides.source)};
}

Judgement sourceRuns(const Presence& here, const Presence& there, Millis unchanged,
                     bool confirmed) {
  if (here.job == Job::migration_out) return wait("it is still moving");
  switch (there.state) {
    case State::running:
      if (confirmed && unchanged >= kSettled)
        return {Verdict::lost,
                "it runs at both hosts, and the destination's daemon was told that its copy is the "
                "VM"};
      // It ends what it was not told to be its own; what it was it may not end.
      if (unchanged >= kGivenUp)
        return {Verdict::lost, "it runs at both hosts, and the destination's copy is not ended"};
      return {Verdict::conflict,
              "it runs at both hosts: the destination's daemon ends the copy there"};
    case State::paused:
      // Whatever becomes of the VM here, its daemon would resume it once this host has none.
      if (there.suspended)
        return wait(
            "it runs at the source; the copy that the destination's daemon suspended is to "
            "be ended there");
      [[fallthrough]];
    case State::incoming:
      if (unchanged >= kGivenUp)
        return {Verdict::lost,
                fmt::format("it runs at the source, and the copy at the destination, which is {}, "
                            "is not ended",
                            told(there))};
      return wait(there.state == State::paused
                      ? "it runs at the source; the copy at the destination is to be ended there"
                      : "it runs at the source; libvirt still clears up at the destination");
    case State::absent:
    case State::off:
      break;
  }
  if (unchanged < kSettled) return wait("it seems to have stayed");
  return {Verdict::stayed, "it runs at the source, and not at the destination"};
}

Judgement sourcePaused(const Presence& here, const Presence& there, Millis unchanged,
                       bool known_there) {
  if (here.job == Job::migration_out) return wait("it is switching over");
  switch (there.state) {
    case State::running:
      if (there.job == Job::migration_in || unchanged < kOutOfDate)
        return wait("it runs at the destination; libvirt still clears up at the source");
      return {Verdict::drop_source,
              "it runs at the destination; the paused copy at the source is out of date"};
    case State::paused:
      if (there.suspended) return wait("the destination's daemon is to resume its copy");
      [[fallthrough]];
    case State::incoming:
      if (unchanged < kGivenUp) return wait("its copies at both hosts stand still");
      return {Verdict::lost, fmt::format("both copies stand still: {} at the source, {} at the "
                                         "destination; only one of them is good",
                                         told(here), told(there))};
    case State::off:
      if (there.crashed && !known_there) {
        if (unchanged < kOutOfDate) return wait("it seems to have died at the destination");
        return {Verdict::drop_source,
                "it moved and died there; the paused copy at the source is out of date"};
      }
      // A definition is made there at switch-over only: the copy there may have run, and changed
      // its disks. Where it was defined before, neither that nor how it ended proves anything.
      if (there.defined || there.crashed) {
        if (unchanged < kOutOfDate) return wait("it seems to be off at the destination");
        return {Verdict::lost,
                "it is paused at the source and off at the destination, where it may have run"};
      }
      [[fallthrough]];
    case State::absent:
      break;
  }
  if (unchanged < kSettled) return wait("it is paused at the source");
  if (heldByOthers(here))
    return {Verdict::stayed, "it stayed, and is paused at the source: " + told(here)};
  return {Verdict::resume_source, "it is paused at the source, and gone from the destination"};
}

/// There is no copy at the source that could run.
Judgement sourceGone(const Presence& here, const Presence& there, Millis unchanged,
                     bool known_there) {
  if (there.state == State::running)
    return {Verdict::moved, "it runs at the destination, and is off at the source"};
  if (there.state == State::paused && there.suspended)
    return wait("the destination's daemon is to resume its copy");
  if (!off(there)) {
    if (unchanged < kGivenUp)
      return wait("it is off at the source and stands still at the destination");
    return {Verdict::lost,
            "it is off at the source and stands still at the destination: " + told(there)};
  }
  if (unchanged < kSettled) return wait("it runs at neither host");
  if (there.state == State::off) {
    const bool switched = here.state == State::absent || because(here, "migrated");
    if (known_there && (died(there) || !switched))
      return {
          Verdict::lost,
          fmt::format("it is {} at the source, and off at the destination, which knew it before "
                      "the move: whether it ran there cannot be told",
                      told(here))};
    if (died(there))
      return {Verdict::revive_destination, "it moved and died there: " + told(there)};
    if (died(here))
      return {Verdict::lost, "it died at the source and is off at the destination: " + told(there)};
    return {Verdict::moved, "it moved, and was shut down at the destination"};
  }
  return {Verdict::lost, "it is " + told(here) + " at the source and unknown at the destination"};
}

Judgement sourceOff(const Presence& here, const Presence& there, const BothSides& sides) {
  const auto unchanged = sides.unchanged;
  // What has moved once, and is gone from there by now, may run anywhere.
  if (there.state != State::absent || unchanged < kSettled || here.state == State::absent ||
      sides.moved)
    return sourceGone(here, there, unchanged, sides.known_there);
  if (died(here) && !sides.restarted)
    return {
        Verdict::restart_source,
        fmt::format("it died at the source ({}), and is gone from the destination", told(here))};
  // The daemon may have been killed before it could start what it had said it would.
  if (died(here))
    return {Verdict::lost,
            "it died at the source, where it may have been started once already: " + told(here)};
  if (because(here, "migrated")) return sourceGone(here, there, unchanged, sides.known_there);
  return {Verdict::stayed, "it stayed, and was shut down at the source: " + told(here)};
}

/// It ran on at the source, and does no more; the copy at the destination never is the VM.
Judgement sourceRan(const Presence& here, const Presence& there, Millis unchanged) {
  if (here.job == Job::migration_out) return wait("it is moving once more");
  if (unchanged < kSettled) return wait("it does not run at the source any more");
  return {Verdict::lost,
          fmt::format("it ran at the source, where it is {} by now; the copy at the destination, "
                      "which is {}, was to be ended",
                      told(here), told(there))};
}

}  // namespace

bool died(const Presence& side) {
  return side.crashed || side.unexplained;
}

bool because(const Presence& side, std::string_view reason) {
  return side.reason == reason || side.reason.ends_with(": " + std::string(reason));
}

Judgement judge(const BothSides& sides) {
  if (!sides.asked_to_move) return notAsked(sides);
  if (!sides.source) return {Verdict::uncertain, "libvirt at the source is silent"};
  if (!sides.destination)
    return {Verdict::uncertain,
            "the destination is silent and may hold a copy; at the source it "
            "is " +
                told(*sides.source)};
  const auto& here = *sides.source;
  auto there = *sides.destination;
  // That it came and is off there proves no more than if it had not come.
  if (sides.to_be_ended && there.state == State::off) there = {};
  if (sides.to_be_ended && here.state != State::running && here.state != State::incoming &&
      !off(there))
    return sourceRan(here, there, sides.unchanged);
  switch (here.state) {
    case State::running:
      return sourceRuns(here, there, sides.unchanged, sides.confirmed);
    case State::paused:
      return sourcePaused(here, there, sides.unchanged, sides.known_there);
    case State::incoming:
      return wait("it is coming to the source");
    case State::absent:
    case State::off:
      break;
  }
  return sourceOff(here, there, sides);
}

}  // namespace virtseer::act
