#include <catch2/catch.hpp>

#include "sim/act/arrival_world.h"

// What the source's half of the move has come to, before a copy here is taken for the VM.

namespace virtseer::sim {
namespace {

using State = Presence::State;

bool advises(const Operation& operation, const std::string& words) {
  return std::ranges::any_of(
      operation.advice, [&](const auto& line) { return line.find(words) != std::string::npos; });
}

/// The source's half of the move, as its daemon tells of it.
struct Told : ArrivalWorld {
  Told() {
    half.id = "m-1";
    half.vm = kVm;
    source->on_operation = [this](std::string) -> boost::asio::awaitable<Result<Operation>> {
      if (no_answer) co_return fail(*no_answer);
      co_return half;
    };
  }
  void ended(OperationState state, OperationState before) {
    half.state = state;
    half.steps = {{.state = before, .at = {}, .note = ""}, {.state = state, .at = {}, .note = ""}};
  }

  Operation half;
  std::optional<Error> no_answer;
};

}  // namespace

TEST_CASE("a copy of a move that has ended without it is left to a person") {
  Told world;
  const auto [end, before] = GENERATE(table<OperationState, OperationState>({
      {OperationState::failed, OperationState::settling},
      {OperationState::aborted, OperationState::settling},
      {OperationState::needs_person, OperationState::settling},
      // A person said that this host is off.
      {OperationState::needs_person, OperationState::uncertain},
  }));
  world.ended(end, before);
  std::string state = "paused";
  SECTION("it was suspended by us") {
    world.isSuspended();
  }
  SECTION("it stands still") {
    world.arrives();
    world.here.vm(ArrivalWorld::kVm).presence.state = State::paused;
  }
  SECTION("it runs") {
    world.arrives();
    state = "running";
  }
  SECTION("it is off") {
    world.arrives();
    world.here.vm(ArrivalWorld::kVm).presence = {
        .state = State::off, .defined = true, .reason = "shutdown"};
    state = "off";
  }
  world.sourceIsBack();
  world.sourceIs(State::absent);
  world.time.run(Millis(60'000));

  CHECK(world.operation().state == OperationState::needs_person);
  CHECK_FALSE(world.operation().confirmed);
  CHECK(world.operation().message ==
        "it is " + state + " here, but the move has ended at a without it");
  CHECK(advises(world.operation(), "find out first where it is"));
  CHECK(advises(world.operation(), "virsh destroy web") == (state != "off"));
  CHECK(world.told("arrival.failed") == 1);
  CHECK(world.here.count("resume") == 0);
  CHECK(world.here.count("destroy") == 0);
  CHECK(world.arrivals->reservations().empty());
}

TEST_CASE("a suspended copy goes on if the source's half does, or ended with it") {
  Told world;
  world.isSuspended();
  world.sourceIsBack();
  world.sourceIs(State::absent);
  SECTION("it goes on") {
    world.half.state = OperationState::settling;
  }
  SECTION("it is done") {
    world.ended(OperationState::done, OperationState::committing);
  }
  SECTION("it runs here, and not well") {
    world.ended(OperationState::needs_person, OperationState::verifying);
  }
  world.time.run(Millis(2'000));
  CHECK(world.runs());
  CHECK(world.operation().confirmed);
}

TEST_CASE("a suspended copy of which the source knows nothing any more is left to a person") {
  Told world;
  world.isSuspended();
  world.sourceIsBack();
  world.sourceIs(State::absent);
  SECTION("the move is not known there") {
    world.no_answer = Error{Code::not_found, "no such operation"};
  }
  SECTION("the operation is of another VM") {
    world.ended(OperationState::failed, OperationState::settling);
    world.half.vm = ArrivalWorld::uuid(2);
  }
  world.time.run(Millis(60'000));
  CHECK(world.stateHere() == State::paused);
  CHECK(world.operation().state == OperationState::needs_person);
  CHECK_THAT(world.operation().message, Catch::Contains("knows nothing of the move any more"));
  CHECK_FALSE(world.operation().confirmed);
}

TEST_CASE("a suspended copy waits for what the source has to say of its half of the move") {
  Told world;
  world.isSuspended();
  world.sourceIsBack();
  world.sourceIs(State::off);
  world.half.state = OperationState::settling;
  for (const auto code : {Code::timeout, Code::unreachable, Code::busy, Code::failed}) {
    world.no_answer = Error{code, "not now"};
    world.time.run(Millis(60'000));
    CHECK(world.stateHere() == State::paused);
    CHECK_FALSE(ended(world.operation().state));
  }
  world.no_answer.reset();
  world.time.run(Millis(2'000));
  CHECK(world.runs());
  CHECK(world.operation().confirmed);
}

TEST_CASE("a person who resumed a copy of a move that ended without it is believed") {
  Told world;
  world.isSuspended();
  world.ended(OperationState::needs_person, OperationState::settling);
  world.here.vm(ArrivalWorld::kVm).presence.state = State::running;
  world.sourceIsBack();
  world.sourceIs(State::off);
  world.time.run(Millis(2'000));
  CHECK(world.runs());
  CHECK(world.operation().confirmed);
}

}  // namespace virtseer::sim
