#include "daemon/problems.h"

#include <catch2/catch.hpp>

using namespace virtseer;
using namespace virtseer::daemon;

namespace {

const Timestamp kNow{Millis(1'800'000'000'000)};
const Uuid kSelf = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000f");

Operation operationIn(OperationState state, Millis ago = Millis(0)) {
  Operation out;
  out.id = "m-1";
  out.vm_name = "web";
  out.state = state;
  out.message = "host b is silent";
  out.updated = kNow - ago;
  return out;
}

fleet::PeerState peer(bool answers, std::optional<Millis> ago) {
  fleet::PeerState out;
  out.name = "beta";
  out.answers = answers;
  if (ago) out.heard = kNow - *ago;
  out.error = answers ? "" : "No route to host";
  return out;
}

}  // namespace

TEST_CASE("an operation that is uncertain or needs a person is a problem, no other is") {
  CHECK(
      operationProblems({operationIn(OperationState::uncertain, std::chrono::hours(100))}, kNow) ==
      std::vector<std::string>{"web may run at a host that is silent: host b is silent; 'virtseer "
                               "operation m-1' says what to do"});
  CHECK(operationProblems({operationIn(OperationState::needs_person)}, kNow) ==
        std::vector<std::string>{
            "web needs a person: host b is silent; 'virtseer operation m-1' says what to do"});
  for (const auto state : {OperationState::done, OperationState::failed, OperationState::migrating,
                           OperationState::aborted, OperationState::returned})
    CHECK(operationProblems({operationIn(state)}, kNow).empty());
}

TEST_CASE("what needed a person is no problem once the VM was moved anew, nor after a day") {
  CHECK(operationProblems(
            {operationIn(OperationState::done), operationIn(OperationState::needs_person)}, kNow)
            .empty());
  CHECK(operationProblems({operationIn(OperationState::needs_person, std::chrono::hours(24))}, kNow)
            .empty());
}

TEST_CASE("a move that does not settle by itself is a problem, one that settles is not") {
  auto settling = operationIn(OperationState::settling);
  CHECK(operationProblems({settling}, kNow).empty());
  settling.advice = {"end the copy there"};
  CHECK(operationProblems({settling}, kNow) ==
        std::vector<std::string>{
            "web needs a person: host b is silent; 'virtseer operation m-1' says what to do"});
}

TEST_CASE("an attempt that came to nothing does not hide what needed a person") {
  for (const auto state :
       {OperationState::refused, OperationState::aborted, OperationState::failed})
    CHECK(operationProblems({operationIn(state), operationIn(OperationState::needs_person)}, kNow)
              .size() == 1);
  for (const auto state : {OperationState::returned, OperationState::migrating})
    CHECK(operationProblems({operationIn(state), operationIn(OperationState::needs_person)}, kNow)
              .empty());
  CHECK(operationProblems(
            {operationIn(OperationState::needs_person), operationIn(OperationState::needs_person)},
            kNow)
            .size() == 1);
}

TEST_CASE("a host that has been silent for over a minute is a problem") {
  const Timestamp long_ago = kNow - std::chrono::hours(5);
  CHECK(peerProblems({peer(true, Millis(0)), peer(false, std::chrono::minutes(1))}, kSelf, long_ago,
                     kNow)
            .empty());
  CHECK(peerProblems({peer(false, std::chrono::seconds(150))}, kSelf, long_ago, kNow) ==
        std::vector<std::string>{
            "the daemon of beta has been silent for 2 min, No route to host: see "
            "that it runs and that this host reaches it"});
}

TEST_CASE("a host that was never heard is a problem, but not just after the start") {
  CHECK(peerProblems({peer(false, {})}, kSelf, kNow - std::chrono::seconds(60), kNow).empty());
  const auto told = peerProblems({peer(false, {})}, kSelf, kNow - std::chrono::seconds(61), kNow);
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], Catch::StartsWith("the daemon of beta was never heard"));
}

TEST_CASE("a peer that has this host's id, or that of a peer before it, is a problem") {
  auto first = peer(true, Millis(0));
  auto second = first;
  second.name = "gamma";
  first.host = second.host = kSelf;
  CHECK(
      peerProblems({first}, kSelf, kNow, kNow) ==
      std::vector<std::string>{"beta has the id of this host: 'virtseer doctor' says what to do"});
  first.host = second.host = Uuid();
  CHECK(peerProblems({first, second}, kSelf, kNow, kNow) ==
        std::vector<std::string>{"gamma has the id of beta: 'virtseer doctor' says what to do"});
}

TEST_CASE("a VM that runs on two hosts is a problem") {
  CHECK(duplicateProblems({}).empty());
  CHECK(duplicateProblems({{kSelf, "web", {"alpha", "beta"}, kNow}}) ==
        std::vector<std::string>{
            "web runs on alpha and beta at once, as they say: 'virtseer doctor' says what to do"});
}
