#include <fmt/format.h>

#include <algorithm>

#include "act/answers.h"
#include "act/arrival_acts.h"
#include "base/text.h"

// What a copying move made here and left behind: a later one would be refused, since it is there.
// Data may be lost if the wrong file is deleted, so whatever is not certain is left to a person.

namespace virtseer::act {

namespace asio = boost::asio;

namespace {

using State = Presence::State;
using ArrivalPtr = std::shared_ptr<Arrival>;

/// Of the question to the source.
constexpr Millis kAnswer{2'000};

/// Something of it was here, so that libvirt may have made its disks.
bool came(const Operation& claim) {
  return std::ranges::any_of(claim.steps, [](const OperationStep& step) {
    return step.state == OperationState::migrating;
  });
}

bool leaves(const Operation& claim) {
  return !claim.record.copied_disks.empty() && !claim.confirmed && came(claim);
}

/// True if it ran here, or may have: then its disks here may hold what no other has.
bool mayHaveRun(const Arrival& arrival) {
  const auto& steps = arrival.operation.steps;
  return arrival.ran || arrival.unwatched || arrival.grip != Grip::none ||
         steps.size() >= kMostSteps ||  // older ones are forgotten
         std::ranges::find(steps, kRunsHere, &OperationStep::note) != steps.end();
}

/// Why the files are not to be touched; empty: they are the move's, and nobody needs them.
std::string doubt(const Arrival& arrival, const Presence& here, const SourceWord& source) {
  const auto& claim = arrival.operation;
  if (mayHaveRun(arrival)) return "it may have run here";
  if (here.state != State::absent || here.defined) return "it is defined here";
  if (!source.presence) return fmt::format("{} is silent", fromOf(claim));
  if (source.presence->state != State::running ||
      source.presence->job == Presence::Job::migration_out)
    return fmt::format("it does not simply run at {}", fromOf(claim));
  return {};
}

bool othersWant(const ArrivalDesk& desk, const Arrival& arrival, const std::string& path) {
  return std::ranges::any_of(desk.arrivals, [&](const auto& entry) {
    const auto& [id, other] = entry;
    const auto& paths = other->operation.record.copied_disks;
    return other.get() != &arrival && !other->over() &&
           std::ranges::find(paths, path) != paths.end();
  });
}

std::string leftHere(const std::string& path, std::string_view why) {
  return fmt::format("{} may be left here by the move ({}): delete it if nobody needs it",
                     printable(path), why);
}

}  // namespace

asio::awaitable<SourceWord> askAboutCopies(ArrivalDesk* desk, ArrivalPtr arrival) {
  const auto& claim = arrival->operation;
  if (!leaves(claim) || mayHaveRun(*arrival)) co_return SourceWord{};
  co_return co_await askSource(desk->source(claim), claim.vm, claim.from, desk->context.pause,
                               kAnswer, false);
}

asio::awaitable<Result<Leftovers>> clearCopies(ArrivalDesk* desk, ArrivalPtr arrival,
                                               SourceWord source) {
  Leftovers left;
  if (!leaves(arrival->operation)) co_return left;
  const auto paths = arrival->operation.record.copied_disks;
  const auto here = co_await desk->here.presence(arrival->operation.vm);
  if (!here) co_return fail(here.error());
  if (const auto why = doubt(*arrival, *here, source); !why.empty()) {
    for (const auto& path : paths) left.advice.push_back(leftHere(path, why));
    co_return left;
  }
  const auto noted = co_await desk->step(
      arrival, OperationState::migrating,
      fmt::format("what the move made here is removed: it runs at {}", fromOf(arrival->operation)));
  if (!noted) co_return fail(noted.error());
  for (const auto& path : paths) {
    if (othersWant(*desk, *arrival, path)) {
      left.advice.push_back(leftHere(path, "another VM is to come with a disk there"));
      continue;
    }
    const auto done = co_await desk->here.deleteVolume(path);
    if (done) {
      arrival->failures = 0;
      continue;
    }
    if (putOff(done.error()) && ++arrival->failures < kActTries) co_return fail(done.error());
    left.person = true;
    left.advice.push_back(leftHere(path, printable(done.error().message)));
  }
  co_return left;
}

}  // namespace virtseer::act
