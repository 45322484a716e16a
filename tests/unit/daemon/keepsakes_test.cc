#include "daemon/keepsakes.h"

#include <catch2/catch.hpp>

#include "store/store.h"

using namespace virtseer;

namespace {

const Uuid kVm = *Uuid::parse("11111111-2222-4333-8444-000000000001");
const Uuid kA = *Uuid::parse("11111111-2222-4333-8444-00000000000a");
const Uuid kB = *Uuid::parse("11111111-2222-4333-8444-00000000000b");
using Said = daemon::Keepsakes::Automation;
const Timestamp kNow{Millis(1'700'000'000'000)};

PastMove moveAt(int number) {
  return {.from = kA,
          .to = kB,
          .started = kNow + Millis(number),
          .ended = kNow + Millis(number + 1),
          .outcome = MoveOutcome::done,
          .automatic = true};
}

}  // namespace

TEST_CASE("maintenance and the global stop outlive whoever set them") {
  const auto store = store::memoryStore(10);
  daemon::Keepsakes first;
  first.use(store->settings(), kNow);
  CHECK_FALSE(first.maintenance());
  first.setMaintenance(true, kNow);
  CHECK_FALSE(first.automation());
  first.setAutomation(false, kNow + Millis(5));

  daemon::Keepsakes second;
  CHECK_FALSE(second.maintenance());
  second.use(store->settings(), kNow);
  CHECK(second.maintenance() == kNow);
  CHECK(second.automation() == Said{.on = false, .since = kNow + Millis(5)});
  second.setMaintenance(false, kNow);
  CHECK_FALSE(first.maintenance());
}

TEST_CASE("who switched automation on again is kept as who stopped it") {
  const auto store = store::memoryStore(10);
  daemon::Keepsakes keepsakes;
  keepsakes.use(store->settings(), kNow);
  keepsakes.setAutomation(false, kNow);
  keepsakes.setAutomation(true, kNow + Millis(5));
  CHECK(keepsakes.automation() == Said{.on = true, .since = kNow + Millis(5)});
}

TEST_CASE("a word on automation that cannot be read counts as none") {
  const auto store = store::memoryStore(10);
  daemon::Keepsakes keepsakes;
  keepsakes.use(store->settings(), kNow);
  for (const char* text : {"", "off", "off yesterday", "maybe 2026-01-31T08:05:00.000Z"}) {
    store->settings().put("automation", text);
    CHECK_FALSE(keepsakes.automation());
  }
}

TEST_CASE("of a VM's moves the last sixteen are kept, oldest first") {
  const auto store = store::memoryStore(10);
  daemon::Keepsakes keepsakes;
  keepsakes.use(store->settings(), kNow);
  CHECK(keepsakes.moves(kVm).empty());
  for (int i = 0; i < 20; ++i) keepsakes.addMove(kVm, moveAt(i));
  const auto moves = keepsakes.moves(kVm);
  REQUIRE(moves.size() == 16);
  CHECK(moves.front() == moveAt(4));
  CHECK(moves.back() == moveAt(19));
  CHECK(keepsakes.moves(kA).empty());
}

TEST_CASE("what comes with a VM stands beside what is known of it here") {
  const auto store = store::memoryStore(10);
  daemon::Keepsakes keepsakes;
  keepsakes.use(store->settings(), kNow);
  auto returned = moveAt(5);
  returned.outcome = MoveOutcome::returned;
  keepsakes.addMove(kVm, moveAt(1));
  keepsakes.addMove(kVm, returned);
  auto back = moveAt(9);
  std::swap(back.from, back.to);
  auto told_later = moveAt(1);
  told_later.ended += Millis(1);

  keepsakes.adoptMoves(kVm, {told_later, back});

  CHECK(keepsakes.moves(kVm) == std::vector{told_later, returned, back});
}

TEST_CASE("moves that cannot be read count as none") {
  const auto store = store::memoryStore(10);
  store->settings().put("moves/" + kVm.text(), "{\"not\":\"a list\"}");
  daemon::Keepsakes keepsakes;
  keepsakes.use(store->settings(), kNow);
  CHECK(keepsakes.moves(kVm).empty());
}

TEST_CASE("what is said while the disk is away holds when it is back") {
  const auto disk = store::memoryStore(10);
  {
    daemon::Keepsakes before;
    before.use(disk->settings(), kNow);
    before.setMaintenance(true, kNow);
    before.addMove(kVm, moveAt(1));
  }
  const auto memory = store::memoryStore(10);
  daemon::Keepsakes keepsakes;
  keepsakes.use(memory->settings(), kNow);
  keepsakes.setAutomation(false, kNow);
  keepsakes.setMaintenance(false, kNow);
  keepsakes.addMove(kVm, moveAt(2));
  keepsakes.adoptMoves(kVm, {moveAt(3)});
  keepsakes.use(disk->settings(), kNow);
  CHECK_FALSE(keepsakes.maintenance());
  CHECK(keepsakes.automation() == Said{.on = false, .since = kNow});
  CHECK(keepsakes.moves(kVm) == std::vector{moveAt(1), moveAt(2), moveAt(3)});
}

TEST_CASE("moves of long ago are forgotten at the next start") {
  const auto store = store::memoryStore(10);
  daemon::Keepsakes first;
  first.use(store->settings(), kNow);
  first.addMove(kVm, moveAt(1));
  daemon::Keepsakes soon;
  soon.use(store->settings(), kNow + std::chrono::hours(47));
  CHECK(soon.moves(kVm).size() == 1);
  daemon::Keepsakes late;
  late.use(store->settings(), kNow + std::chrono::hours(49));
  CHECK(late.moves(kVm).empty());
}
