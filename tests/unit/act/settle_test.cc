#include "act/settle.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>

namespace virtseer::act {
namespace {

using State = Presence::State;
using Job = Presence::Job;
using V = Verdict;

struct Side {
  std::string_view name;
  Presence presence;
};

/// What can be heard of the source.
const std::array<Side, 10> kHere{{
    {"running", {.state = State::running, .defined = true, .reason = ""}},
    {"running, moving",
     {.state = State::running, .job = Job::migration_out, .defined = true, .reason = ""}},
    {"paused, moving",
     {.state = State::paused, .job = Job::migration_out, .defined = true, .reason = ""}},
    {"paused", {.state = State::paused, .defined = true, .reason = "paused: migration"}},
    {"paused by a person", {.state = State::paused, .defined = true, .reason = "paused: user"}},
    {"crashed", {.state = State::off, .defined = true, .crashed = true, .reason = ""}},
    {"off with its host",
     {.state = State::off, .defined = true, .reason = "off: unknown", .unexplained = true}},
    {"shut down", {.state = State::off, .defined = true, .reason = "off: shutdown"}},
    {"off, migrated", {.state = State::off, .defined = true, .reason = "off: migrated"}},
    {"absent", {}},
}};

/// What can be heard of the destination.
const std::array<Side, 10> kThere{{
    {"running", {.state = State::running, .defined = true, .reason = ""}},
    {"running, finishing",
     {.state = State::running, .job = Job::migration_in, .defined = true, .reason = ""}},
    {"paused", {.state = State::paused, .defined = true, .reason = ""}},
    {"suspended by its daemon",
     {.state = State::paused, .defined = true, .suspended = true, .reason = ""}},
    {"incoming", {.state = State::incoming, .job = Job::migration_in, .reason = ""}},
    {"crashed", {.state = State::off, .defined = true, .crashed = true, .reason = ""}},
    {"off with its host",
     {.state = State::off, .defined = true, .reason = "off: unknown", .unexplained = true}},
    {"shut down", {.state = State::off, .defined = true, .reason = "off: shutdown"}},
    {"off, undefined", {.state = State::off, .reason = ""}},
    {"absent", {}},
}};

using Row = std::array<Verdict, kThere.size()>;
using Table = std::array<Row, kHere.size()>;

void check(const Table& table, Millis unchanged, bool restarted = false, bool to_be_ended = false) {
  for (std::size_t here = 0; here < kHere.size(); ++here)
    for (std::size_t there = 0; there < kThere.size(); ++there) {
      BothSides sides;
      sides.source = kHere[here].presence;
      sides.destination = kThere[there].presence;
      sides.unchanged = unchanged;
      sides.restarted = restarted;
      sides.to_be_ended = to_be_ended;
      const auto judgement = judge(sides);
      INFO("here " << kHere[here].name << ", there " << kThere[there].name << ", for "
                   << unchanged.count() << " ms: " << judgement.words);
      CHECK(name(judgement.verdict) == name(table[here][there]));
      CHECK_FALSE(judgement.words.empty());
    }
}

constexpr auto w = V::wait, S = V::stayed, M = V::moved, R = V::resume_source,
               A = V::restart_source, D = V::drop_source, L = V::revive_destination,
               C = V::conflict, X = V::lost;

TEST_CASE("at first glance only what is certain is said") {
  // there: running, finishing, paused, suspended, incoming, crashed, with its host, shut down,
  // undefined, absent
  const Table table{{
      {C, C, w, w, w, w, w, w, w, w},  // running
      {w, w, w, w, w, w, w, w, w, w},  // running, moving
      {w, w, w, w, w, w, w, w, w, w},  // paused, moving
      {w, w, w, w, w, w, w, w, w, w},  // paused
      {w, w, w, w, w, w, w, w, w, w},  // paused by a person
      {M, M, w, w, w, w, w, w, w, w},  // crashed
      {M, M, w, w, w, w, w, w, w, w},  // off with its host
      {M, M, w, w, w, w, w, w, w, w},  // shut down
      {M, M, w, w, w, w, w, w, w, w},  // off, migrated
      {M, M, w, w, w, w, w, w, w, w},  // absent
  }};
  check(table, Millis(0));
  check(table, Millis(1'999));
}

TEST_CASE("once libvirt has cleared up the source's own copy may be touched") {
  const Table table{{
      {C, C, w, w, w, S, S, S, S, S},  // running
      {w, w, w, w, w, w, w, w, w, w},  // running, moving
      {w, w, w, w, w, w, w, w, w, w},  // paused, moving
      {w, w, w, w, w, w, w, w, R, R},  // paused
      {w, w, w, w, w, w, w, w, S, S},  // paused by a person
      {M, M, w, w, w, L, L, X, X, A},  // crashed
      {M, M, w, w, w, L, L, X, X, A},  // off with its host
      {M, M, w, w, w, L, L, M, M, S},  // shut down
      {M, M, w, w, w, L, L, M, M, X},  // off, migrated
      {M, M, w, w, w, L, L, M, M, X},  // absent
  }};
  check(table, Millis(2'000));
  check(table, Millis(9'999));
}

TEST_CASE("a copy that is out of date goes after ten seconds, not before") {
  const Table table{{
      {C, C, w, w, w, S, S, S, S, S},  // running
      {w, w, w, w, w, w, w, w, w, w},  // running, moving
      {w, w, w, w, w, w, w, w, w, w},  // paused, moving
      {D, w, w, w, w, D, X, X, R, R},  // paused
      {D, w, w, w, w, D, X, X, S, S},  // paused by a person
      {M, M, w, w, w, L, L, X, X, A},  // crashed
      {M, M, w, w, w, L, L, X, X, A},  // off with its host
      {M, M, w, w, w, L, L, M, M, S},  // shut down
      {M, M, w, w, w, L, L, M, M, X},  // off, migrated
      {M, M, w, w, w, L, L, M, M, X},  // absent
  }};
  check(table, Millis(10'000));
  check(table, Millis(59'999));
}

TEST_CASE("copies that stand still, or run, at both hosts are left to a person after a minute") {
  const Table table{{
      {X, X, X, w, X, S, S, S, S, S},  // running
      {w, w, w, w, w, w, w, w, w, w},  // running, moving
      {w, w, w, w, w, w, w, w, w, w},  // paused, moving
      {D, w, X, w, X, D, X, X, R, R},  // paused
      {D, w, X, w, X, D, X, X, S, S},  // paused by a person
      {M, M, X, w, X, L, L, X, X, A},  // crashed
      {M, M, X, w, X, L, L, X, X, A},  // off with its host
      {M, M, X, w, X, L, L, M, M, S},  // shut down
      {M, M, X, w, X, L, L, M, M, X},  // off, migrated
      {M, M, X, w, X, L, L, M, M, X},  // absent
  }};
  check(table, Millis(60'000));
}

TEST_CASE("an emulator that died at the source is started once only") {
  Table table{{
      {C, C, w, w, w, S, S, S, S, S},  // running
      {w, w, w, w, w, w, w, w, w, w},  // running, moving
      {w, w, w, w, w, w, w, w, w, w},  // paused, moving
      {w, w, w, w, w, w, w, w, R, R},  // paused
      {w, w, w, w, w, w, w, w, S, S},  // paused by a person
      {M, M, w, w, w, L, L, X, X, X},  // crashed
      {M, M, w, w, w, L, L, X, X, X},  // off with its host
      {M, M, w, w, w, L, L, M, M, S},  // shut down
      {M, M, w, w, w, L, L, M, M, X},  // off, migrated
      {M, M, w, w, w, L, L, M, M, X},  // absent
  }};
  check(table, Millis(2'000), true);
}

TEST_CASE("what ran on at the source has not moved, whatever the copy at the destination does") {
  const Table table{{
      {C, C, w, w, w, S, S, S, S, S},  // running
      {w, w, w, w, w, w, w, w, w, w},  // running, moving
      {w, w, w, w, w, w, w, w, w, w},  // paused, moving
      {X, X, X, X, X, R, R, R, R, R},  // paused
      {X, X, X, X, X, S, S, S, S, S},  // paused by a person
      {X, X, X, X, X, A, A, A, A, A},  // crashed
      {X, X, X, X, X, A, A, A, A, A},  // off with its host
      {X, X, X, X, X, S, S, S, S, S},  // shut down
      {X, X, X, X, X, X, X, X, X, X},  // off, migrated
      {X, X, X, X, X, X, X, X, X, X},  // absent
  }};
  check(table, Millis(2'000), false, true);
}

TEST_CASE("a copy that its daemon suspended keeps a VM that runs at the source from leaving") {
  const Presence here{.state = State::running, .defined = true, .reason = ""};
  const Presence there{.state = State::paused, .suspended = true, .reason = ""};
  for (const auto unchanged : {Millis(0), Millis(60'000), Millis(86'400'000)})
    CHECK(judge({.source = here, .destination = there, .unchanged = unchanged}).verdict == V::wait);
}

TEST_CASE("silence of either host proves nothing, for however long") {
  for (const auto unchanged : {Millis(0), Millis(60'000), Millis(86'400'000)}) {
    for (const auto& [text, presence] : kHere) {
      INFO("here " << text);
      CHECK(judge({.source = presence, .destination = std::nullopt, .unchanged = unchanged})
                .verdict == V::uncertain);
    }
    for (const auto& [text, presence] : kThere) {
      INFO("there " << text);
      CHECK(judge({.source = std::nullopt, .destination = presence, .unchanged = unchanged})
                .verdict == V::uncertain);
    }
    CHECK(judge({.source = std::nullopt, .destination = std::nullopt, .unchanged = unchanged})
              .verdict == V::uncertain);
  }
}

TEST_CASE("what was never asked to move has stayed, whoever is silent") {
  for (const auto& [text, presence] : kHere) {
    INFO("here " << text);
    CHECK(
        judge({.source = presence, .destination = std::nullopt, .asked_to_move = false}).verdict ==
        V::stayed);
  }
  CHECK(judge({.source = std::nullopt, .destination = std::nullopt, .asked_to_move = false})
            .verdict == V::stayed);
}

TEST_CASE("a VM that is on its way to the source is waited for") {
  for (const auto& [text, presence] : kThere) {
    INFO("there " << text);
    CHECK(
        judge({.source = Presence{.state = State::incoming, .job = Job::migration_in, .reason = ""},
               .destination = presence,
               .unchanged = Millis(120'000)})
            .verdict == V::wait);
  }
}

TEST_CASE("no verdict ever touches the source's copy while the destination's may run") {
  for (const auto& [here_text, here] : kHere)
    for (const auto& [there_text, there] : kThere)
      for (const auto unchanged : {Millis(0), Millis(2'000), Millis(10'000), Millis(60'000)}) {
        const auto verdict =
            judge({.source = here, .destination = there, .unchanged = unchanged}).verdict;
        INFO("here " << here_text << ", there " << there_text);
        if (verdict == V::resume_source || verdict == V::restart_source) {
          CHECK((there.state == State::absent || there.state == State::off));
          CHECK_FALSE(there.defined);
        }
        if (verdict == V::drop_source) {
          CHECK(here.state == State::paused);
          CHECK(here.job == Job::none);
        }
      }
}

TEST_CASE("where the destination knew the VM before, that it is off there proves nothing") {
  const Presence there{.state = State::off, .defined = true, .crashed = true, .reason = ""};
  const Presence shut{.state = State::off, .defined = true, .reason = "off: shutdown"};
  const auto verdict = [](Presence here, Presence away) {
    BothSides sides;
    sides.source = std::move(here);
    sides.destination = std::move(away);
    sides.known_there = true;
    sides.unchanged = kGivenUp;
    return judge(sides).verdict;
  };
  CHECK(verdict({.state = State::paused, .defined = true, .reason = ""}, there) == V::lost);
  CHECK(verdict({.state = State::off, .defined = true, .crashed = true, .reason = ""}, there) ==
        V::lost);
  CHECK(verdict({}, there) == V::lost);
  CHECK(verdict(shut, shut) == V::lost);
  CHECK(verdict({.state = State::running, .defined = true, .reason = ""}, there) == V::stayed);
  CHECK(verdict({.state = State::off, .reason = "off: migrated"}, shut) == V::moved);
  CHECK(verdict({}, shut) == V::moved);
}

TEST_CASE("what has moved once is never started at the source again") {
  for (const auto& [text, here] : kHere) {
    if (here.state != State::off) continue;
    INFO("here " << text);
    CHECK(
        judge(
            {.source = here, .destination = Presence{}, .moved = true, .unchanged = Millis(60'000)})
            .verdict == V::lost);
  }
}

}  // namespace
}  // namespace virtseer::act
