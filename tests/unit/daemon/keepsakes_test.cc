#include "daemon/keepsakes.h"

#include <catch2/catch.hpp>

#include "store/store.h"

using namespace virtseer;

namespace {

const Uuid kVm = *Uuid::parse("11111111-2222-4333-8444-000000000001");
const Uuid kA = *Uuid::parse("11111111-2222-4333-8444-00000000000a");
const Uuid kB = *Uuid::parse("11111111-2222-4333-8444-00000000000b");
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
  first.use(store->settings());
  CHECK_FALSE(first.maintenance());
  first.setMaintenance(true, kNow);
  first.setStopped(true, kNow + Millis(5));

  daemon::Keepsakes second;
  CHECK_FALSE(second.maintenance());
  second.use(store->settings());
  CHECK(second.maintenance() == kNow);
  CHECK(second.stopped() == kNow + Millis(5));
  second.setMaintenance(false, kNow);
  second.setStopped(false, kNow);
  CHECK_FALSE(first.maintenance());
  CHECK_FALSE(first.stopped());
}

TEST_CASE("of a VM's moves the last sixteen are kept, oldest first") {
  const auto store = store::memoryStore(10);
  daemon::Keepsakes keepsakes;
  keepsakes.use(store->settings());
  CHECK(keepsakes.moves(kVm).empty());
  for (int i = 0; i < 20; ++i) keepsakes.addMove(kVm, moveAt(i));
  const auto moves = keepsakes.moves(kVm);
  REQUIRE(moves.size() == 16);
  CHECK(moves.front() == moveAt(4));
  CHECK(moves.back() == moveAt(19));
  CHECK(keepsakes.moves(kA).empty());
}

TEST_CASE("moves that cannot be read count as none") {
  const auto store = store::memoryStore(10);
  store->settings().put("moves/" + kVm.text(), "{\"not\":\"a list\"}");
  daemon::Keepsakes keepsakes;
  keepsakes.use(store->settings());
  CHECK(keepsakes.moves(kVm).empty());
}
