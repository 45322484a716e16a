#include "daemon/scenario_join.h"

#include <catch2/catch.hpp>
#include <functional>

using namespace virtseer;
using namespace virtseer::daemon;

namespace {

const Timestamp kNow{Millis(1'800'000'000'000)};

Uuid vm(std::uint8_t n) {
  Uuid out;
  out.bytes[15] = n;
  return out;
}

Scenarios set(Millis step, std::size_t steps, std::size_t paths, std::vector<Uuid> vms,
              const std::function<double(std::size_t, std::size_t, std::size_t)>& wants,
              Millis late = Millis(0)) {
  Scenarios out{kNow + late, step, steps, paths, std::move(vms), {}};
  for (std::size_t path = 0; path < paths; ++path)
    for (std::size_t at = 0; at < steps; ++at)
      for (std::size_t v = 0; v < out.vms.size(); ++v)
        out.demand.push_back(static_cast<float>(wants(path, at, v)));
  return out;
}

}  // namespace

TEST_CASE("a plan rests on the horizons up to the one that covers what is acted upon") {
  using std::chrono::hours;
  using std::chrono::minutes;
  const std::vector<Millis> all{hours(24), minutes(15), hours(6), hours(1)};
  CHECK(planHorizons(all, minutes(30)) == std::vector<Millis>{minutes(15), hours(1)});
  CHECK(planHorizons(all, minutes(15)) == std::vector<Millis>{minutes(15)});
  CHECK(planHorizons({minutes(4), minutes(1)}, minutes(30)) ==
        std::vector<Millis>{minutes(1), minutes(4)});
}

TEST_CASE("within the shorter horizon it counts, beyond it the longer goes on from there") {
  // Ten cells of 1 s that rise to 2, and ten of 4 s that stay at 1 and swing by path.
  const std::vector<Scenarios> sets{
      set(Millis(1000), 10, 2, {vm(1)}, [](auto, auto at, auto) { return 1 + 0.1 * at; }),
      set(Millis(4000), 10, 2, {vm(1)}, [](auto path, auto, auto) { return path ? 1.2 : 0.8; })};
  const auto joined = joinHorizons(sets);
  CHECK(joined.step == Millis(4000));
  CHECK(joined.steps == 10);
  CHECK(joined.at(0, 0, 0) == Approx(1.15));
  CHECK(joined.at(1, 1, 0) == Approx(1.55));
  CHECK(joined.at(0, 2, 0) == Approx(1.85));  // two of its four seconds are covered
  CHECK(joined.at(0, 3, 0) == Approx(1.65));
  CHECK(joined.at(1, 9, 0) == Approx(1.9));  // never above what was ever foreseen
}

TEST_CASE("a set that begins later covers what it can") {
  const std::vector<Scenarios> sets{
      set(
          Millis(1000), 10, 1, {vm(1)}, [](auto, auto, auto) { return 2; }, Millis(5000)),
      set(Millis(4000), 5, 1, {vm(1)}, [](auto, auto, auto) { return 1; })};
  const auto joined = joinHorizons(sets);
  CHECK(joined.at(0, 0, 0) == Approx(1));
  for (std::size_t step = 1; step < 5; ++step) CHECK(joined.at(0, step, 0) == Approx(2));
}

TEST_CASE("what falls within the shorter horizon falls beyond it, but not below zero") {
  const std::vector<Scenarios> sets{
      set(Millis(1000), 4, 1, {vm(1)}, [](auto, auto, auto) { return 0.5; }),
      set(Millis(1000), 8, 1, {vm(1)}, [](auto, auto at, auto) { return at < 5 ? 3.0 : 1.0; })};
  const auto joined = joinHorizons(sets);
  CHECK(joined.at(0, 4, 0) == Approx(0.5));
  CHECK(joined.at(0, 7, 0) == Approx(0));
}

TEST_CASE("a VM that one horizon alone knows is there all the same") {
  const std::vector<Scenarios> sets{
      set(Millis(1000), 4, 2, {vm(2), vm(1)}, [](auto, auto at, auto v) { return v ? 1 : at; }),
      set(Millis(2000), 4, 2, {vm(1), vm(3)}, [](auto, auto, auto v) { return v ? 5 : 1; })};
  const auto joined = joinHorizons(sets);
  CHECK(joined.vms == std::vector<Uuid>{vm(1), vm(3), vm(2)});
  for (std::size_t step = 0; step < 4; ++step) {
    CHECK(joined.at(1, step, 0) == Approx(1));
    CHECK(joined.at(1, step, 1) == Approx(5));
  }
  CHECK(joined.at(1, 0, 2) == Approx(0.5));
  CHECK(joined.at(1, 1, 2) == Approx(2.5));
  CHECK(joined.at(1, 3, 2) == Approx(2.5));
}

TEST_CASE("sets without VMs or of a wrong size are passed over") {
  auto wrong = set(Millis(1000), 4, 2, {vm(1)}, [](auto, auto, auto) { return 9; });
  wrong.demand.pop_back();
  const std::vector<Scenarios> sets{
      wrong, set(Millis(1000), 3, 1, {vm(1)}, [](auto, auto, auto) { return 1; }), Scenarios{}};
  CHECK(joinHorizons(sets) == sets[1]);
  CHECK(joinHorizons({}).vms.empty());
}

TEST_CASE("a flat column is added, and paths are left out to fit") {
  auto scenarios = set(Millis(1000), 2, 3, {vm(1)}, [](auto path, auto at, auto) {
    return static_cast<double>(10 * path + at);
  });
  addFlat(scenarios, vm(9), 0.5);
  CHECK(scenarios.vms.back() == vm(9));
  CHECK(scenarios.at(2, 1, 0) == Approx(21));
  CHECK(scenarios.at(2, 1, 1) == Approx(0.5));
  const auto fewer = thinned(scenarios, 9);
  CHECK(fewer.paths == 2);
  CHECK(fewer.at(1, 1, 0) == Approx(11));
  CHECK(thinned(scenarios, 1).paths == 1);
  CHECK(thinned(scenarios, 1000) == scenarios);
  Scenarios empty{kNow, Millis(1000), 2, 2, {}, {}};
  addFlat(empty, vm(9), 1);
  CHECK(empty.demand == std::vector<float>{1, 1, 1, 1});
}
