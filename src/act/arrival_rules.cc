#include "act/arrival_desk.h"
#include "act/arrivals.h"
#include "act/settle.h"

namespace virtseer::act {
namespace {

using State = Presence::State;
using Job = Presence::Job;

/// It runs there and is not about to come here.
bool staysAtSource(const Presence& source) {
  return source.state == State::running && source.job != Job::migration_out;
}

bool runsAtSource(const ArrivalView& view) {
  return view.at_source && staysAtSource(*view.at_source);
}

bool provenAtSource(const ArrivalView& view) {
  return runsAtSource(view) && view.source_running_for >= kSourceRuns;
}

ArrivalAct judgeRunning(const ArrivalView& view) {
  if (view.confirmed) return ArrivalAct::wait;
  if (runsAtSource(view)) return provenAtSource(view) ? ArrivalAct::destroy : ArrivalAct::wait;
  // A person resumed what we had suspended, and is not contradicted.
  if (view.suspended) return ArrivalAct::confirm;
  if (view.at_source) return !active(*view.at_source) ? ArrivalAct::confirm : ArrivalAct::wait;
  // Silence is heard only by who can ask.
  if (!view.source_known || view.source_host_answers) return ArrivalAct::wait;
  if (view.running_for < kUnheard) return ArrivalAct::wait;
  return ArrivalAct::suspend;
}

/// Suspended by us: whatever the source says, this copy has waited long enough for switch-over to
/// lie far behind.
ArrivalAct judgeSuspended(const ArrivalView& view) {
  if (!view.at_source) return ArrivalAct::wait;
  const auto& source = *view.at_source;
  if (!active(source)) return ArrivalAct::resume;
  if (view.confirmed) return ArrivalAct::wait;
  if (staysAtSource(source)) return ArrivalAct::destroy;
  // For a moment it also stands so before libvirt there resumes it.
  const bool left_behind = source.state == State::paused && source.job == Job::none &&
                           view.source_unchanged >= kOutOfDate;
  return left_behind ? ArrivalAct::resume : ArrivalAct::wait;
}

/// Paused, and not by us: by the move itself, by a person before it, by an error after it.
ArrivalAct judgePaused(const ArrivalView& view) {
  if (view.confirmed || !view.at_source) return ArrivalAct::wait;
  if (!active(*view.at_source)) return ArrivalAct::confirm;
  return provenAtSource(view) ? ArrivalAct::destroy : ArrivalAct::wait;
}

ArrivalAct judgeHere(const ArrivalView& view) {
  switch (view.here->state) {
    case State::absent:
    case State::off:
      return ArrivalAct::gone;
    case State::incoming:
      return ArrivalAct::wait;
    case State::running:
      return judgeRunning(view);
    case State::paused:
      break;
  }
  if (view.here->job != Job::none) return ArrivalAct::wait;
  return view.suspended ? judgeSuspended(view) : judgePaused(view);
}

}  // namespace

ArrivalAct judge(const ArrivalView& view) {
  if (!view.here) return ArrivalAct::wait;
  const auto act = judgeHere(view);
  // What was to be ended, and may be any moment, is not the VM that its source may forget.
  if (view.ending && (act == ArrivalAct::confirm || act == ArrivalAct::resume))
    return ArrivalAct::wait;
  return act;
}

}  // namespace virtseer::act
