#include "decide/reservations.h"

#include <limits>

#include "unit/decide/worlds.h"

using namespace virtseer;
using namespace virtseer::decide;
using namespace virtseer::decide::test;

namespace {

const HostRoom kRoom{4, 8 * kGiB, 1, 2 * kGiB, {}, false, false};

ReservationRequest wants(std::uint32_t vm, double cpus = 1, std::uint64_t memory = 2 * kGiB) {
  return {"op-" + std::to_string(vm), uuid(0xB0, vm), "vm" + std::to_string(vm), cpus, memory};
}

}  // namespace

TEST_CASE("room is given until memory or cores are spoken for") {
  Ledger ledger;
  CHECK(ledger.request(kRoom, wants(1), kNow));
  CHECK(ledger.request(kRoom, wants(2), kNow));
  CHECK(ledger.request(kRoom, wants(3, 0.5, 4 * kGiB), kNow).error().message ==
        "4.0 GiB of memory wanted, 2.0 GiB of 8.0 GiB free");
  CHECK(ledger.request(kRoom, wants(4, 1.5, kGiB), kNow).error().message ==
        "1.50 cores wanted, 1.00 core of 4.00 cores free");
  CHECK(ledger.request(kRoom, wants(5, 1, 2 * kGiB), kNow));
  CHECK(ledger.size() == 3);
}

TEST_CASE("cores may be shared where that is asked for; memory never is") {
  Ledger ledger;
  auto sharing = wants(1, 4);
  CHECK(ledger.request(kRoom, sharing, kNow).error().code == Code::full);
  CHECK(ledger.shortage(kRoom, sharing) == "4.00 cores wanted, 3.00 cores of 4.00 cores free");
  sharing.may_share = true;
  CHECK(ledger.request(kRoom, sharing, kNow));
  CHECK_FALSE(ledger.shortage(kRoom, sharing).empty());
  CHECK_FALSE(ledger.shortage(kRoom, wants(2, 0)).empty());
  auto large = wants(2, 0, 7 * kGiB);
  large.may_share = true;
  CHECK(ledger.request(kRoom, large, kNow).error().code == Code::full);
}

TEST_CASE("asking again gives the same reservation, renewed, and never takes room twice") {
  Ledger ledger;
  const auto first = ledger.request(kRoom, wants(1, 1, 6 * kGiB), kNow);
  const auto again = ledger.request(kRoom, wants(1, 1, 6 * kGiB), kNow + Millis(5000));

  REQUIRE(again);
  CHECK(again->id == first->id);
  CHECK(again->expires == first->expires + Millis(5000));
  CHECK(ledger.size() == 1);
  CHECK(ledger.request(kRoom, wants(1, 1, 5 * kGiB), kNow).error().code == Code::invalid);
}

TEST_CASE("one VM is promised to one operation only") {
  Ledger ledger;
  CHECK(ledger.request(kRoom, wants(1), kNow));
  auto other = wants(1);
  other.operation = "op-other";

  CHECK(ledger.request(kRoom, other, kNow).error().code == Code::refused);
  ledger.release("op-1");
  ledger.release("op-1");
  CHECK(ledger.request(kRoom, other, kNow));
}

TEST_CASE("a reservation that is not renewed gives its room back") {
  Ledger ledger;
  const LedgerRules rules;
  CHECK(ledger.request(kRoom, wants(1, 1, 6 * kGiB), kNow));
  CHECK(ledger.renew("op-1", kNow + rules.lifetime - Millis(1)));
  CHECK_FALSE(ledger.request(kRoom, wants(2), kNow + rules.lifetime));

  const auto later = kNow + rules.lifetime * 2;
  CHECK(ledger.request(kRoom, wants(2), later));
  CHECK(ledger.renew("op-1", later).error().code == Code::not_found);
}

TEST_CASE("a clock that is set back does not lengthen a promise") {
  Ledger ledger;
  const LedgerRules rules;
  CHECK(ledger.request(kRoom, wants(1, 1, 6 * kGiB), kNow));
  const auto back = kNow - std::chrono::hours(1);
  CHECK(ledger.expire(back).empty());

  CHECK(ledger.expire(back + rules.lifetime).size() == 1);
}

TEST_CASE("a VM that has arrived is not counted twice") {
  Ledger ledger;
  CHECK(ledger.request(kRoom, wants(1, 1, 4 * kGiB), kNow));
  auto room = kRoom;
  room.present = {uuid(0xB0, 1)};
  room.used_memory_bytes += 4 * kGiB;
  room.used_cpus += 1;

  CHECK(ledger.request(room, wants(2), kNow));
  CHECK(ledger.request(room, wants(1, 1, 4 * kGiB), kNow));  // its own operation asks again
  ledger.release("op-1");
  CHECK(ledger.request(room, wants(1), kNow).error().message == "vm1 is already on this host");
}

TEST_CASE("maintenance and a daemon that stops take nobody") {
  Ledger ledger;
  auto room = kRoom;
  room.maintenance = true;
  CHECK(ledger.request(room, wants(1), kNow).error().code == Code::refused);
  room = kRoom;
  room.draining = true;
  CHECK(ledger.request(room, wants(1), kNow).error().code == Code::refused);
}

TEST_CASE("a ledger is bounded and refuses nonsense") {
  LedgerRules rules;
  rules.most = 2;
  Ledger ledger(rules);
  CHECK(ledger.request(kRoom, wants(1, 0, 1), kNow));
  CHECK(ledger.request(kRoom, wants(2, 0, 1), kNow));
  CHECK(ledger.request(kRoom, wants(3, 0, 1), kNow).error().code == Code::busy);
  auto bad = wants(4);
  bad.operation = std::string(1000, 'x');
  CHECK(ledger.request(kRoom, bad, kNow).error().code == Code::invalid);
  CHECK(ledger.request(kRoom, wants(5, -1), kNow).error().code == Code::invalid);
  CHECK(ledger.request(kRoom, wants(5, std::numeric_limits<double>::quiet_NaN()), kNow)
            .error()
            .code == Code::invalid);
  Ledger huge;
  CHECK(huge.request(kRoom, wants(1, 0, ~0ULL), kNow).error().code == Code::full);
}

TEST_CASE("what was written down is held again after a restart") {
  Ledger before;
  CHECK(before.request(kRoom, wants(1, 1, 6 * kGiB), kNow));

  Ledger after(LedgerRules{}, before.entries());

  CHECK(after.entries() == before.entries());
  CHECK_FALSE(after.request(kRoom, wants(2), kNow));
  CHECK(after.renew("op-1", kNow));
}
