#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "act/arrivals.h"
#include "act/settle.h"

namespace virtseer::act {
namespace {

using State = Presence::State;
using Job = Presence::Job;

constexpr Millis kEarly = kUnheard - Millis(1);

Presence at(State state, Job job = Job::none) {
  return {.state = state, .job = job, .defined = true, .reason = ""};
}

std::string said(const std::optional<Presence>& side) {
  if (!side) return "silent";
  return std::string(name(side->state)) + "/" + std::string(name(side->job));
}

std::string told(const ArrivalView& view) {
  return "here " + said(view.here) + ", source " + said(view.at_source) +
         (view.source_host_answers ? ", port answers" : "") +
         (view.suspended ? ", suspended" : "") + (view.confirmed ? ", confirmed" : "") + ", for " +
         std::to_string(view.running_for.count()) + ", source for " +
         std::to_string(view.source_running_for.count());
}

/// All that a source can say, silence among it.
std::vector<std::optional<Presence>> words() {
  std::vector<std::optional<Presence>> out{std::nullopt};
  for (const auto state :
       {State::absent, State::off, State::running, State::paused, State::incoming})
    for (const auto job : {Job::none, Job::migration_out, Job::migration_in, Job::other})
      out.push_back(at(state, job));
  return out;
}

struct Cell {
  std::optional<Presence> source;
  bool port = false;
  Millis running_for{0};
  Millis source_for{0};
  ArrivalAct act = ArrivalAct::wait;
  Millis source_unchanged{0};
};

void check(const Presence& here, bool suspended, const std::vector<Cell>& cells) {
  for (const auto& cell : cells) {
    const ArrivalView view{.here = here,
                           .at_source = cell.source,
                           .source_host_answers = cell.port,
                           .suspended = suspended,
                           .running_for = cell.running_for,
                           .source_running_for = cell.source_for,
                           .source_unchanged = cell.source_unchanged};
    INFO(told(view));
    CHECK(name(judge(view)) == name(cell.act));
  }
}

}  // namespace

TEST_CASE("nothing is done while our own libvirt is silent") {
  for (const auto& source : words())
    for (const bool suspended : {false, true})
      CHECK(judge({.here = std::nullopt,
                   .at_source = source,
                   .suspended = suspended,
                   .running_for = Millis(60'000),
                   .source_running_for = Millis(60'000),
                   .source_unchanged = Millis(60'000)}) == ArrivalAct::wait);
}

TEST_CASE("a source that cannot be asked is not a silent one") {
  CHECK(judge({.here = at(State::running),
               .at_source = std::nullopt,
               .source_known = false,
               .running_for = Millis(3'600'000)}) == ArrivalAct::wait);
}

TEST_CASE("a VM that is not here is gone, whatever the source says") {
  for (const auto state : {State::absent, State::off})
    for (const auto& source : words()) {
      CHECK(judge({.here = at(state), .at_source = source}) == ArrivalAct::gone);
      CHECK(judge({.here = at(state), .at_source = source, .suspended = true}) == ArrivalAct::gone);
    }
}

TEST_CASE("a copy that still comes, or is paused with a job, is waited for") {
  for (const auto& source : words())
    for (const auto& here : {at(State::incoming, Job::migration_in), at(State::incoming),
                             at(State::paused, Job::migration_in), at(State::paused, Job::other)})
      for (const bool suspended : {false, true})
        CHECK(judge({.here = here,
                     .at_source = source,
                     .suspended = suspended,
                     .running_for = Millis(60'000),
                     .source_running_for = Millis(60'000)}) == ArrivalAct::wait);
}

TEST_CASE("a copy that runs here, cell by cell") {
  const Millis never{0};
  check(
      at(State::running), false,
      {
          {at(State::off), false, never, never, ArrivalAct::confirm},
          {at(State::absent), false, Millis(60'000), never, ArrivalAct::confirm},
          {at(State::paused), false, Millis(60'000), never, ArrivalAct::wait},
          {at(State::paused, Job::migration_out), false, Millis(60'000), never, ArrivalAct::wait},
          {at(State::incoming, Job::migration_in), false, Millis(60'000), never, ArrivalAct::wait},
          {at(State::running, Job::migration_out), false, Millis(60'000), Millis(60'000),
           ArrivalAct::wait},
          {at(State::running), false, Millis(60'000), kSourceRuns - Millis(1), ArrivalAct::wait},
          {at(State::running), false, never, kSourceRuns, ArrivalAct::destroy},
          {at(State::running, Job::other), false, never, kSourceRuns, ArrivalAct::destroy},
          {std::nullopt, false, never, never, ArrivalAct::wait},
          {std::nullopt, false, kEarly, never, ArrivalAct::wait},
          {std::nullopt, false, kUnheard, never, ArrivalAct::suspend},
          {std::nullopt, true, kUnheard, never, ArrivalAct::wait},
          {std::nullopt, true, Millis(3'600'000), never, ArrivalAct::wait},
          // How long the source ran before it fell silent proves nothing now.
          {std::nullopt, true, Millis(60'000), Millis(60'000), ArrivalAct::wait},
      });
}

TEST_CASE("a copy that we suspended, cell by cell") {
  check(at(State::paused), true,
        {
            {at(State::off), false, {}, {}, ArrivalAct::resume},
            {at(State::absent), false, {}, {}, ArrivalAct::resume},
            // As it is for a moment before libvirt there resumes it.
            {at(State::paused), false, {}, {}, ArrivalAct::wait},
            {at(State::paused), false, {}, {}, ArrivalAct::wait, kOutOfDate - Millis(1)},
            {at(State::paused), false, {}, {}, ArrivalAct::resume, kOutOfDate},
            {at(State::paused, Job::migration_out), false, {}, {}, ArrivalAct::wait, kOutOfDate},
            {at(State::paused, Job::other), false, {}, {}, ArrivalAct::wait},
            {at(State::incoming, Job::migration_in), false, {}, {}, ArrivalAct::wait},
            {at(State::running), false, {}, {}, ArrivalAct::destroy},
            {at(State::running, Job::other), false, {}, {}, ArrivalAct::destroy},
            {at(State::running, Job::migration_out), false, {}, {}, ArrivalAct::wait},
            {std::nullopt, false, Millis(60'000), {}, ArrivalAct::wait},
            {std::nullopt, true, Millis(60'000), {}, ArrivalAct::wait},
        });
}

TEST_CASE("a copy that is paused, and not by us, cell by cell") {
  check(at(State::paused), false,
        {
            {at(State::off), false, {}, {}, ArrivalAct::confirm},
            {at(State::absent), false, {}, {}, ArrivalAct::confirm},
            {at(State::paused), false, {}, Millis(60'000), ArrivalAct::wait},
            {at(State::running), false, {}, kSourceRuns - Millis(1), ArrivalAct::wait},
            {at(State::running), false, {}, kSourceRuns, ArrivalAct::destroy},
            {at(State::running, Job::migration_out), false, {}, kSourceRuns, ArrivalAct::wait},
            {std::nullopt, false, Millis(60'000), {}, ArrivalAct::wait},
        });
}

TEST_CASE(
    "what a person resumed is confirmed, unless the source's daemon says that it runs there") {
  check(at(State::running), true,
        {
            {std::nullopt, false, kUnheard, {}, ArrivalAct::confirm},
            {std::nullopt, true, {}, {}, ArrivalAct::confirm},
            {at(State::off), false, {}, {}, ArrivalAct::confirm},
            {at(State::paused), false, {}, {}, ArrivalAct::confirm},
            {at(State::running), false, {}, kSourceRuns - Millis(1), ArrivalAct::wait},
            {at(State::running), false, {}, kSourceRuns, ArrivalAct::destroy},
        });
}

TEST_CASE("what was confirmed is never suspended and never ended") {
  for (const auto& source : words())
    for (const auto state : {State::running, State::paused})
      for (const bool suspended : {false, true}) {
        const ArrivalView view{.here = at(state),
                               .at_source = source,
                               .suspended = suspended,
                               .confirmed = true,
                               .running_for = Millis(3'600'000),
                               .source_running_for = Millis(3'600'000)};
        INFO(told(view));
        const auto act = judge(view);
        CHECK(act != ArrivalAct::suspend);
        CHECK(act != ArrivalAct::destroy);
      }
}

TEST_CASE("silence never ends a copy, and only the source's running does") {
  for (const auto& source : words())
    for (const auto state : {State::running, State::paused, State::incoming})
      for (const bool suspended : {false, true})
        for (const bool port : {false, true}) {
          const ArrivalView view{.here = at(state),
                                 .at_source = source,
                                 .source_host_answers = port,
                                 .suspended = suspended,
                                 .running_for = Millis(3'600'000),
                                 .source_running_for = Millis(3'600'000)};
          INFO(told(view));
          const bool runs = source && source->state == State::running;
          if (!runs) CHECK(judge(view) != ArrivalAct::destroy);
          if (port || source) CHECK(judge(view) != ArrivalAct::suspend);
        }
}

TEST_CASE("what may be ended any moment is neither confirmed nor set going") {
  for (const auto here : {State::running, State::paused})
    for (const bool suspended : {false, true})
      for (const auto& source : words()) {
        ArrivalView view{.here = at(here),
                         .at_source = source,
                         .suspended = suspended,
                         .running_for = kUnheard,
                         .source_running_for = kSourceRuns,
                         .source_unchanged = kOutOfDate};
        const auto free = judge(view);
        view.ending = true;
        const auto held = free == ArrivalAct::confirm || free == ArrivalAct::resume;
        INFO(told(view));
        CHECK(judge(view) == (held ? ArrivalAct::wait : free));
      }
}

}  // namespace virtseer::act
