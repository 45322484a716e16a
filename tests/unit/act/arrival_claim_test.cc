#include "act/arrival_claim.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace virtseer::act {
namespace {

Uuid uuid(std::uint8_t last) {
  Uuid out;
  out.bytes[15] = last;
  return out;
}

const Timestamp kNow{Millis(1'000'000)};

ReserveOrder order() {
  ReserveOrder out;
  out.operation = "m-1";
  out.vm = uuid(1);
  out.vm_name = "web";
  out.from = uuid(10);
  out.from_name = "a";
  out.cpus = 1;
  out.memory_bytes = 1 << 30;
  out.live_xml = "<domain><name>web</name><uuid>" + out.vm.text() + "</uuid></domain>";
  return out;
}

Result<void> checked(const ReserveOrder& order) {
  return wellFormed(order, uuid(20), {});
}

}  // namespace

TEST_CASE("an order is taken only if every member is within its bounds") {
  CHECK(checked(order()));
  const auto refuses = [](auto spoil) {
    auto bad = order();
    spoil(bad);
    const auto result = checked(bad);
    return !result && result.error().code == Code::invalid;
  };
  CHECK(refuses([](auto& bad) { bad.operation.clear(); }));
  CHECK(refuses([](auto& bad) { bad.operation = std::string(129, 'x'); }));
  CHECK(refuses([](auto& bad) { bad.operation = "../m-1"; }));
  CHECK(refuses([](auto& bad) { bad.operation = "m\n1"; }));
  CHECK(refuses([](auto& bad) { bad.return_of = "m/1"; }));
  CHECK(refuses([](auto& bad) { bad.return_of = std::string(129, 'x'); }));
  CHECK(refuses([](auto& bad) { bad.vm = {}; }));
  CHECK(refuses([](auto& bad) { bad.from = {}; }));
  CHECK(refuses([](auto& bad) { bad.from = uuid(20); }));
  CHECK(refuses([](auto& bad) { bad.vm_name = std::string(kLongestName + 1, 'x'); }));
  CHECK(refuses([](auto& bad) { bad.from_name = std::string(kLongestName + 1, 'x'); }));
  CHECK(refuses([](auto& bad) { bad.cpus = -1; }));
  CHECK(refuses([](auto& bad) { bad.cpus = std::nan(""); }));
  CHECK(refuses([](auto& bad) { bad.live_xml.clear(); }));
  CHECK(refuses([](auto& bad) { bad.live_xml += std::string(kLongestXml, ' '); }));
}

TEST_CASE("XML of another VM than the one that is named is refused") {
  auto other = order();
  other.vm = uuid(2);
  CHECK_FALSE(checked(other));
  auto none = order();
  none.live_xml = "<domain/>";
  CHECK_FALSE(checked(none));
  auto cut = order();
  cut.live_xml = "<domain><uuid>";
  CHECK_FALSE(checked(cut));
}

TEST_CASE("a claim keeps a bounded number of steps, its first among them, and no step twice") {
  auto claim = claimOf(order(), {}, kNow);
  const auto first = claim.steps.front();
  for (int i = 0; i < 3; ++i)
    claim = stepped(claim, OperationState::migrating, "it comes", kNow + Millis(i));
  CHECK(claim.steps.size() == 2);
  CHECK(claim.updated == kNow + Millis(2));
  for (std::size_t i = 0; i < 2 * kMostSteps; ++i)
    claim = stepped(claim, OperationState::migrating, "look " + std::to_string(i), kNow);
  CHECK(claim.steps.size() == kMostSteps);
  CHECK(claim.steps.front() == first);
  CHECK(claim.steps.back().note == "look " + std::to_string(2 * kMostSteps - 1));
}

TEST_CASE("what was to be ended is known as such, also once its steps are gone") {
  auto claim = claimOf(order(), {}, kNow);
  CHECK_FALSE(mayBeEnded(claim));
  // As an earlier version wrote it down.
  claim = stepped(claim, OperationState::migrating, std::string(kEnding) + ": it runs at a", kNow);
  CHECK(mayBeEnded(claim));
  for (std::size_t i = 0; i < kMostSteps; ++i)
    claim = stepped(claim, OperationState::migrating, "look " + std::to_string(i), kNow);
  CHECK_FALSE(mayBeEnded(claim));
  claim.record.to_be_ended = true;
  CHECK(mayBeEnded(claim));
}

TEST_CASE("how far our own suspending got is read from the steps") {
  auto claim = claimOf(order(), {}, kNow);
  CHECK(gripOf(claim) == Grip::none);
  claim.suspended = true;
  // Without a word of how it went, it is taken for not done.
  CHECK(gripOf(claim) == Grip::suspending);
  const auto noted = [&](std::string_view note) {
    claim = stepped(claim, OperationState::uncertain, std::string(note) + ": why", kNow);
    return gripOf(claim);
  };
  CHECK(noted(kSuspending) == Grip::suspending);
  CHECK(noted(kSuspended) == Grip::suspended);
  CHECK(noted("something else") == Grip::suspended);
  CHECK(noted(kResuming) == Grip::resuming);
  claim.suspended = false;
  CHECK(gripOf(claim) == Grip::none);
}

}  // namespace virtseer::act
