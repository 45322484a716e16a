#include "predict/predictor.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>

#include "tests/sim/predict/random.h"

using namespace virtseer;
using namespace virtseer::predict;

namespace {

constexpr Millis kMinute{60'000};

Timestamp second(std::int64_t s) {
  return Timestamp(Millis(1'000'000'000'000 + s * 1000));
}

Uuid vmNumber(std::size_t number) {
  Uuid uuid;
  uuid.bytes[15] = static_cast<std::uint8_t>(number);
  uuid.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  uuid.bytes[0] = 7;
  return uuid;
}

PredictorOptions lab() {
  PredictorOptions options;
  options.step = Millis(1000);
  options.horizons = {kMinute, 4 * kMinute};
  return options;
}

/// Noise around one core for the seconds [from, to), scored as it goes.
void live(Predictor& predictor, const Uuid& vm, std::int64_t from, std::int64_t to) {
  test::Random random(static_cast<std::uint64_t>(from) + 1);
  for (auto s = from; s < to; ++s) {
    predictor.observe(vm, Resource::cpu, second(s), 1 + 0.1 * random.normal());
    predictor.score(second(s));
  }
}

void checkOrder(const Outlook& outlook, double upper) {
  const auto& q = outlook.quantiles;
  CHECK(q.p50 >= 0);
  CHECK(q.p50 <= q.p80);
  CHECK(q.p80 <= q.p95);
  CHECK(q.p95 <= upper);
  if (q.p99) CHECK(q.p95 <= *q.p99);
  if (q.p99) CHECK(*q.p99 <= upper);
}

}  // namespace

TEST_CASE("what was never seen is not foreseen") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  CHECK(predictor.forecast(vm, Resource::cpu, kMinute, second(0)).error().code == Code::not_found);
  predictor.observe(vm, Resource::cpu, second(0), 1);
  CHECK(predictor.forecast(vm, Resource::memory, kMinute, second(0)).error().code ==
        Code::not_found);
  CHECK(predictor.forecast(vm, Resource::cpu, Millis(7), second(0)).error().code == Code::invalid);
  CHECK_FALSE(predictor.record(vm, Resource::memory, kMinute));
}

TEST_CASE("seconds of history give a wide band, no p99 and a note") {
  Predictor predictor(lab());
  live(predictor, vmNumber(1), 0, 10);
  const auto out = predictor.forecast(vmNumber(1), Resource::cpu, kMinute, second(10));
  REQUIRE(out);
  CHECK(out->peak.calibration == Calibration::none);
  CHECK_FALSE(out->peak.quantiles.p99);
  CHECK(out->peak.quantiles.p95 > out->peak.point + 0.4);
  CHECK(out->note ==
        "only 10 s of history for a horizon of 60 s; the band is wide by convention: 0 of 100 "
        "outcomes are known");
}

TEST_CASE("a VM earns its own band, and p99 last") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  live(predictor, vm, 0, 400);
  auto out = predictor.forecast(vm, Resource::cpu, kMinute, second(400));
  CHECK(out->peak.calibration == Calibration::own);
  CHECK(out->peak.outcomes >= 100);
  CHECK_FALSE(out->peak.quantiles.p99);
  CHECK(out->note.empty());
  live(predictor, vm, 400, 2600);
  out = predictor.forecast(vm, Resource::cpu, kMinute, second(2600));
  CHECK(out->peak.quantiles.p99);
  checkOrder(out->level, 1e9);
  checkOrder(out->peak, 1e9);
}

TEST_CASE("a new VM borrows the band of the others") {
  Predictor predictor(lab());
  live(predictor, vmNumber(1), 0, 400);
  live(predictor, vmNumber(2), 330, 400);
  const auto out = predictor.forecast(vmNumber(2), Resource::cpu, kMinute, second(400));
  CHECK(out->peak.calibration == Calibration::pooled);
  CHECK(out->peak.outcomes >= 100);
}

TEST_CASE("a forecast stays within the cores, unless demand was seen above them") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  predictor.bound(vm, Resource::cpu, 2.0);
  for (int s = 0; s < 200; ++s) predictor.observe(vm, Resource::cpu, second(s), 0.01 * s);
  auto out = predictor.forecast(vm, Resource::cpu, kMinute, second(200));
  checkOrder(out->peak, 2.0);
  CHECK(out->peak.quantiles.p95 == 2.0);
  predictor.observe(vm, Resource::cpu, second(200), 2.5);
  out = predictor.forecast(vm, Resource::cpu, kMinute, second(200));
  checkOrder(out->peak, 2.5);
  CHECK(out->peak.quantiles.p95 > 2.0);
}

TEST_CASE("quantiles never cross, whatever is observed") {
  Predictor predictor(lab());
  test::Random random(5);
  const auto vm = vmNumber(1);
  predictor.bound(vm, Resource::disk, 1e9);
  double top = 0;
  for (int s = 0; s < 3000; ++s) {
    const double value = std::pow(10, 8 * random.uniform());
    if (random.uniform() < 0.9) predictor.observe(vm, Resource::disk, second(s), value);
    if (s % 97 == 0) s += static_cast<int>(30 * random.uniform());
    predictor.score(second(s));
    top = std::max(top, value);
    if (s % 10 != 0) continue;
    for (const auto horizon : lab().horizons) {
      const auto out = predictor.forecast(vm, Resource::disk, horizon, second(s));
      if (!out) continue;
      checkOrder(out->level, 1e9);
      checkOrder(out->peak, 1e9);
      CHECK(out->peak.quantiles.p95 >= out->level.quantiles.p95);
    }
  }
  CHECK(predictor.record(vm, Resource::disk, kMinute)->scored > 300);
}

TEST_CASE("outcomes come after their horizon, with the truth of it") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  std::size_t seen = 0;
  for (int s = 0; s < 400; ++s) {
    predictor.observe(vm, Resource::cpu, second(s), s < 200 ? 1.0 : 3.0);
    for (const auto& outcome : predictor.score(second(s))) {
      ++seen;
      REQUIRE(outcome.forecast.made + outcome.forecast.horizon <= second(s));
      CHECK(outcome.level <= outcome.peak + 1e-9);
      const auto end = outcome.forecast.made + outcome.forecast.horizon;
      CHECK(outcome.peak == Approx(end > second(199) ? 3.0 : 1.0));
    }
  }
  CHECK(seen > 100);
}

TEST_CASE("a silent VM is foreseen with a note, then no more") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  live(predictor, vm, 0, 400);
  const auto late = predictor.forecast(vm, Resource::cpu, kMinute, second(430));
  REQUIRE(late);
  CHECK(late->note.find("no demand seen since") != std::string::npos);
  CHECK(predictor.forecast(vm, Resource::cpu, kMinute, second(500)).error().code ==
        Code::not_found);
}

TEST_CASE("a clock that is set back drops the past and keeps what was learned") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  live(predictor, vm, 10'000, 10'400);
  live(predictor, vm, 5'000, 5'100);
  const auto out = predictor.forecast(vm, Resource::cpu, kMinute, second(5'100));
  REQUIRE(out);
  CHECK(out->made <= second(5'100));
  CHECK(out->peak.calibration == Calibration::own);
  CHECK(predictor.dropped() == 10);
}

TEST_CASE("scoring may be spread over calls") {
  Predictor predictor(lab());
  for (int s = 0; s < 100; ++s)
    for (std::size_t v = 0; v < 5; ++v) predictor.observe(vmNumber(v), Resource::cpu, second(s), 1);
  for (int call = 0; call < 5; ++call) predictor.score(second(100), 1);
  for (int s = 100; s < 200; ++s)
    for (std::size_t v = 0; v < 5; ++v) predictor.observe(vmNumber(v), Resource::cpu, second(s), 1);
  std::vector<Uuid> scored;
  for (int call = 0; call < 5; ++call)
    for (const auto& outcome : predictor.score(second(200), 1))
      scored.push_back(outcome.forecast.vm);
  CHECK(scored.size() == 5);
  for (std::size_t v = 0; v < 5; ++v)
    CHECK(std::count(scored.begin(), scored.end(), vmNumber(v)) == 1);
}

TEST_CASE("VMs beyond the bound are refused and counted") {
  auto options = lab();
  options.max_vms = 2;
  Predictor predictor(options);
  for (std::size_t v = 0; v < 5; ++v) predictor.observe(vmNumber(v), Resource::cpu, second(0), 1);
  CHECK(predictor.vms() == 2);
  CHECK(predictor.refused() == 3);
  predictor.forget(vmNumber(0));
  predictor.observe(vmNumber(4), Resource::cpu, second(0), 1);
  CHECK(predictor.vms() == 2);
}

TEST_CASE("state survives being written, byte for byte and forecast for forecast") {
  Predictor predictor(lab());
  for (std::size_t v = 0; v < 3; ++v) live(predictor, vmNumber(v), 0, 700);
  predictor.bound(vmNumber(1), Resource::cpu, 2.0);
  const auto bytes = predictor.serialise(History::with);
  auto restored = Predictor::restore(lab(), bytes);
  REQUIRE(restored);
  CHECK(restored->serialise(History::with) == bytes);
  for (auto* each : {&predictor, &*restored}) live(*each, vmNumber(1), 700, 800);
  for (const auto horizon : lab().horizons) {
    CHECK(restored->record(vmNumber(1), Resource::cpu, horizon) ==
          predictor.record(vmNumber(1), Resource::cpu, horizon));
    CHECK(*restored->forecast(vmNumber(1), Resource::cpu, horizon, second(800)) ==
          *predictor.forecast(vmNumber(1), Resource::cpu, horizon, second(800)));
  }
}

TEST_CASE("without history, feeding the past again goes on without scoring twice") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  live(predictor, vm, 0, 600);
  auto restored = Predictor::restore(lab(), predictor.serialise(History::without));
  REQUIRE(restored);
  CHECK(restored->forecast(vm, Resource::cpu, kMinute, second(600)).error().code ==
        Code::not_found);
  test::Random random(1);
  for (int s = 0; s < 600; ++s)
    restored->observe(vm, Resource::cpu, second(s), 1 + 0.1 * random.normal());
  for (auto* each : {&predictor, &*restored}) live(*each, vm, 600, 700);
  CHECK(restored->record(vm, Resource::cpu, kMinute) ==
        predictor.record(vm, Resource::cpu, kMinute));
  CHECK(restored->forecast(vm, Resource::cpu, kMinute, second(700))->peak.calibration ==
        Calibration::own);
}

TEST_CASE("a VM takes its calibration and record to another host") {
  Predictor here(lab()), there(lab());
  const auto vm = vmNumber(1);
  live(here, vm, 0, 700);
  live(there, vm, 700, 705);
  const auto adopted = there.adopt(here.serialise(vm, History::with));
  REQUIRE(adopted);
  CHECK(*adopted == vm);
  CHECK(there.record(vm, Resource::cpu, kMinute) == here.record(vm, Resource::cpu, kMinute));
  CHECK(*there.forecast(vm, Resource::cpu, kMinute, second(700)) ==
        *here.forecast(vm, Resource::cpu, kMinute, second(700)));
  CHECK(here.serialise(vmNumber(9), History::with).empty());
}

TEST_CASE("after a change of step only what does not depend on it is kept") {
  Predictor predictor(lab());
  live(predictor, vmNumber(1), 0, 700);
  auto options = lab();
  options.step = Millis(5000);
  options.horizons = {4 * kMinute};
  auto restored = Predictor::restore(options, predictor.serialise(History::with));
  REQUIRE(restored);
  CHECK(restored->record(vmNumber(1), Resource::cpu, 4 * kMinute)->scored ==
        predictor.record(vmNumber(1), Resource::cpu, 4 * kMinute)->scored);
  CHECK_FALSE(restored->forecast(vmNumber(1), Resource::cpu, 4 * kMinute, second(700)));
}

TEST_CASE("damaged or newer state is refused with its reason") {
  Predictor predictor(lab());
  live(predictor, vmNumber(1), 0, 300);
  const auto good = predictor.serialise(History::with);
  for (std::size_t size = 0; size < good.size(); size += 101)
    CHECK(Predictor::restore(lab(), std::string_view(good).substr(0, size)).error().code ==
          Code::corrupt);
  CHECK(Predictor::restore(lab(), good + "x").error().code == Code::corrupt);
  auto newer = good;
  newer[4] = 2;
  CHECK(Predictor::restore(lab(), newer).error().code == Code::unsupported);

  test::Random random(9);
  for (int round = 0; round < 300; ++round) {
    auto bad = good;
    for (int i = 0; i < 3; ++i)
      bad[static_cast<std::size_t>(random.uniform() * static_cast<double>(bad.size()))] =
          static_cast<char>(random.uniform() * 256);
    auto restored = Predictor::restore(lab(), bad);
    if (!restored) continue;
    live(*restored, vmNumber(1), 300, 310);
    const auto out = restored->forecast(vmNumber(1), Resource::cpu, kMinute, second(310));
    if (out) checkOrder(out->peak, std::numeric_limits<double>::infinity());
  }
}

TEST_CASE("scenarios of a host stay near its forecasts and leave strangers out") {
  Predictor predictor(lab());
  live(predictor, vmNumber(1), 0, 400);
  live(predictor, vmNumber(2), 0, 398);
  live(predictor, vmNumber(3), 0, 200);
  const std::vector<Uuid> vms{vmNumber(1), vmNumber(2), vmNumber(3), vmNumber(4)};
  const auto out = predictor.scenarios(vms, Resource::cpu, kMinute, 100, 1);
  REQUIRE(out);
  CHECK(out->vms == std::vector<Uuid>{vmNumber(1), vmNumber(2)});
  CHECK(out->step == Millis(1000));
  CHECK(out->steps == 60);
  CHECK(out->start == second(399));
  double sum = 0;
  for (const float value : out->demand) sum += value;
  CHECK(sum / static_cast<double>(out->demand.size()) == Approx(1).margin(0.1));
  CHECK(predictor.scenarios(vms, Resource::cpu, Millis(7), 100, 1).error().code == Code::invalid);
}

TEST_CASE("a guest is not expected to be set to work again, however long ago it was") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  test::Random random(1);
  constexpr std::int64_t kIdle = 45;
  double highest = 0, point = 0;
  std::size_t flat = 0;
  for (std::int64_t s = 0; s < 660; ++s) {
    const double wanted = (s < kIdle ? 0.06 : 0.6) + 0.01 * random.normal();
    predictor.observe(vm, Resource::cpu, second(s), wanted);
    predictor.score(second(s));
    // What is kept of a minute's horizon are eight minutes: then its beginning goes, cell by cell.
    if (s < 90) continue;
    const auto paths = predictor.scenarios(std::array{vm}, Resource::cpu, kMinute, 50, 1).value();
    const auto [low, high] = std::ranges::minmax(paths.demand);
    highest = std::max<double>(highest, high);
    flat += high - low < 0.01 ? 1 : 0;
    point = std::max(point, predictor.forecast(vm, Resource::cpu, kMinute, second(s))->peak.point);
  }
  CHECK(highest < 0.8);
  CHECK(point < 0.8);
  CHECK(flat == 0);
}

TEST_CASE("what was left out of a history is said, and what is known without it") {
  Predictor predictor(lab());
  const auto vm = vmNumber(1);
  test::Random random(1);
  for (std::int64_t s = 0; s < 80; ++s)
    predictor.observe(vm, Resource::cpu, second(s), (s < 25 ? 1.0 : 0.1) + 0.01 * random.normal());
  const auto out = predictor.forecast(vm, Resource::cpu, kMinute, second(80)).value();
  CHECK_THAT(out.note,
             Catch::StartsWith("only 55 s of history for a horizon of 60 s; the first 25 s "
                               "of history are left out, as unlike what followed"));
}

TEST_CASE("what a VM wants for longer than five minutes is no boot") {
  PredictorOptions options;
  options.horizons = {60 * kMinute};
  Predictor predictor(options);
  const auto vm = vmNumber(1);
  test::Random random(1);
  for (std::int64_t s = 0; s < 90 * 60; s += 5) {
    const double level = s < 20 * 60 ? 1 : 0.1;
    predictor.observe(vm, Resource::cpu, second(s), level + 0.01 * random.normal());
  }
  const auto said = predictor.forecast(vm, Resource::cpu, 60 * kMinute, second(90 * 60)).value();
  CHECK(said.peak.quantiles.p95 > 0.9);
}
