#include "decide/contention.h"

#include <cmath>
#include <limits>

#include "decide/demand.h"
#include "unit/decide/worlds.h"

using namespace virtseer;
using namespace virtseer::decide;
using namespace virtseer::decide::test;

namespace {

Grid grid(std::size_t paths, std::size_t steps) {
  return {kNow, Millis(1000), steps, paths};
}

}  // namespace

TEST_CASE("the probability is that of the step on which most paths exceed the capacity") {
  // Two steps on four paths: step 0 is exceeded on one, step 1 on three.
  const Demand sum{1, 3, 1, 3, 1, 3, 3, 1};

  const auto out = assess(sum, {}, grid(4, 2), {.capacity = 2, .threshold = 0.5}, kNow);
  CHECK(out.probability == 0.75);
  CHECK(out.until == Millis(1000));
}

TEST_CASE("a shortage is foreseen by its first step, and begins where it lasts") {
  // Two paths of six steps: one second beyond capacity, then three; and two at the end.
  const Demand sum{3, 1, 3, 3, 3, 1, 1, 1, 1, 1, 3, 3};
  const auto judged = [&](std::size_t lasting, double threshold) {
    return assess(sum, {}, grid(2, 6), {2, threshold, lasting}, kNow);
  };

  CHECK(judged(1, 0.5).until == Millis(0));
  CHECK(judged(1, 0.5).already);
  CHECK(judged(2, 0.5).until == Millis(2000));
  CHECK_FALSE(judged(2, 0.5).already);
  CHECK(judged(3, 0.5).until == Millis(2000));
  CHECK(judged(1, 1).until == Millis(4000));
  CHECK(judged(3, 0.5).shortage_cpus == judged(1, 0.5).shortage_cpus);
}

TEST_CASE("a shortage that lasts nowhere begins at its first step") {
  // What is short at the end has nothing behind it that would tell whether it lasts.
  const Demand sum{1, 3, 1, 1, 3, 1, 1, 1, 3};
  for (const std::size_t lasting : {2, 3, 9, 10, 100}) {
    const auto out = assess(sum, {}, grid(1, 9), {2, 0.5, lasting}, kNow);

    CHECK(out.probability == 1);
    CHECK(out.until == Millis(1000));
    CHECK(out.probability_then == 1);
  }
}

TEST_CASE("demand that just fits is no contention, despite rounding") {
  Demand sum(100, 0.0F);
  for (auto& row : sum)
    for (int i = 0; i < 20; ++i) row += 0.1F;

  CHECK(assess(sum, {}, grid(10, 10), {2, 0.5}, kNow).probability == 0);
}

TEST_CASE("time until contention is that of the first step that passes the threshold") {
  Demand sum;
  for (int path = 0; path < 10; ++path)
    for (int step = 0; step < 10; ++step) sum.push_back(step >= 4 && path < step ? 3.0F : 1.0F);

  const auto out = assess(sum, {}, grid(10, 10), {2, 0.6}, kNow);

  CHECK(out.until == Millis(6000));
  CHECK(out.probability_then == Approx(0.6));
  CHECK(out.probability == Approx(0.9));
  CHECK_FALSE(out.already);
  CHECK(assess(sum, {}, grid(10, 10), {2, 0.95}, kNow).until == std::nullopt);
  CHECK(assess(sum, {}, grid(10, 10), {2, 0.6}, kNow + Millis(500)).until == Millis(5500));
}

TEST_CASE("a present that is short of CPU is said to be so") {
  const auto out = assess(Demand(6, 3.0F), {}, grid(2, 3), {2, 0.5}, kNow + Millis(300));

  CHECK(out.already);
  CHECK(out.until == Millis(0));
  CHECK(out.shortage_cpus == Approx(1).margin(0.01));
  CHECK(out.mean_cpus == Approx(3));
}

TEST_CASE("VMs with opposite peaks fit where VMs with the same peaks do not") {
  const auto wave = [](std::size_t step, bool first) {
    return (step / 5 % 2 == 0) == first ? 2.0 : 0.2;
  };
  const auto opposite = scenarios({uuid(1, 1), uuid(1, 2)}, 4, 20,
                                  [&](auto, auto step, auto vm) { return wave(step, vm == 0); });
  const auto common = scenarios({uuid(1, 1), uuid(1, 2)}, 4, 20,
                                [&](auto, auto step, auto) { return wave(step, true); });
  const std::unordered_map<Uuid, std::uint32_t> on{{uuid(1, 1), 0}, {uuid(1, 2), 0}};
  const auto probability = [&](const Scenarios& set) {
    const std::vector<Scenarios> sets{set};
    const DemandTable table(sets, kNow);
    std::unordered_map<Uuid, double> means;
    return assess(table.sums(on, 1, means)[0], {}, table.grid(), {3, 0.5}, kNow).probability;
  };

  CHECK(probability(opposite) == 0);
  CHECK(probability(common) == 1);
}

TEST_CASE("a change is judged without copying the sum") {
  const Demand sum(4, 3.0F);
  const Demand vm(4, 1.5F);

  CHECK(assess(sum, {vm, -1}, grid(2, 2), {2, 0.5}, kNow).probability == 0);
  CHECK(assess(sum, {vm, 1}, grid(2, 2), {4, 0.5}, kNow).probability == 1);
}

TEST_CASE("shares of the shortage follow demand where there is an excess, and add up to one") {
  // Only in row 1 is there an excess; there the second VM wants three times as much.
  const std::vector<Demand> demands{{1, 1}, {0, 3}};

  const auto shares = shortageShares(Demand{1, 4}, demands, 2);

  CHECK(shares[0] == Approx(0.25));
  CHECK(shares[1] == Approx(0.75));
  CHECK(shortageShares(Demand{1, 4}, demands, 5) == std::vector<double>{0, 0});
}

TEST_CASE("scenarios of several daemons are read at the same time") {
  // The second set began two seconds earlier, has half the paths and ends sooner.
  auto first = scenarios({uuid(1, 1)}, 4, 6, [](auto, auto step, auto) { return 10.0 + step; });
  auto second = scenarios({uuid(1, 2)}, 2, 5, [](auto path, auto step, auto) {
    return 100.0 * (1 + path) + static_cast<double>(step);
  });
  second.start = kNow - Millis(2000);
  const std::vector<Scenarios> sets{first, second};

  const DemandTable table(sets, kNow + Millis(1500));

  CHECK(table.grid().steps == 5);  // one is over
  CHECK(table.column(uuid(1, 1)) ==
        Demand{11, 12, 13, 14, 15, 11, 12, 13, 14, 15, 11, 12, 13, 14, 15, 11, 12, 13, 14, 15});
  const auto other = table.column(uuid(1, 2));
  CHECK(Demand(other.begin(), other.begin() + 5) == Demand{103, 104, 104, 104, 104});
  CHECK(other[5] == 203);
  CHECK(other[10] == 103);
  CHECK(table.column(uuid(1, 3)).empty());
}

TEST_CASE("a VM in two sets counts once, and load of the host counts by the host's id") {
  const auto set = scenarios({uuid(1, 1), uuid(9, 9)}, 1, 1,
                             [](auto, auto, auto vm) { return vm == 0 ? 2.0 : 0.5; });
  const std::vector<Scenarios> sets{set, set};
  const DemandTable table(sets, kNow);
  std::unordered_map<Uuid, double> means;

  const auto sums = table.sums({{uuid(1, 1), 0}, {uuid(9, 9), 0}}, 1, means);

  CHECK(sums == std::vector<Demand>{{2.5F}});
  CHECK(means[uuid(1, 1)] == Approx(2));
}

TEST_CASE("nonsense in scenarios is no demand, and a set of the wrong size is left out") {
  auto set = scenarios({uuid(1, 1)}, 1, 4, [](auto, auto, auto) { return 1.0; });
  set.demand = {std::numeric_limits<float>::quiet_NaN(), -3, std::numeric_limits<float>::infinity(),
                2};
  auto broken = scenarios({uuid(1, 2)}, 3, 4, [](auto, auto, auto) { return 1.0; });
  broken.demand.pop_back();
  const std::vector<Scenarios> sets{broken, set};

  const DemandTable table(sets, kNow);

  const auto column = table.column(uuid(1, 1));
  CHECK(column[0] == 0);
  CHECK(column[1] == 0);
  CHECK(std::isfinite(column[2]));
  CHECK(column[3] == 2);
  CHECK_FALSE(table.knows(uuid(1, 2)));
}
