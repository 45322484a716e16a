#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <random>

#include "store/chunk.h"
#include "store/database.h"
#include "store/keys.h"
#include "unit/store/store_fixture.h"

/// Measures; run by hand: unit_store "[.bench]". A host's worth of rows, 100 columns each: gauges
/// with two decimals, full doubles, counters of bytes and events, steps of pages, small integers,
/// constants.
namespace virtseer::store {
namespace {

using namespace test;

constexpr int kWidth = 100;

/// One VM's 100 series, tick by tick.
class Machine {
 public:
  explicit Machine(std::uint64_t seed) : random_(seed), state_(kWidth), scale_(kWidth) {
    for (int c = 0; c < kWidth; ++c) {
      const double u = uniform();
      scale_[c] = c < 20 ? 100 * u * u * u : c < 40 ? std::pow(10, 2 + 4 * u) : 1 + 20 * u;
      state_[c] = c < 25 ? 0 : std::floor(uniform() * 1e6);
    }
  }

  void tick(std::vector<double>& values) {
    values.resize(kWidth);
    for (int c = 0; c < kWidth; ++c) values[static_cast<std::size_t>(c)] = next(c);
  }

 private:
  double uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  double normal() { return normal_(random_); }

  double next(int c) {
    double& state = state_[static_cast<std::size_t>(c)];
    const double scale = scale_[static_cast<std::size_t>(c)];
    if (c < 20) {
      state = 0.9 * state + std::sqrt(1 - 0.81) * normal();
      return std::round(std::max(0.0, scale + (0.3 + 0.05 * scale) * state) * 100) / 100;
    }
    if (c < 25) {
      state = 0.95 * state + std::sqrt(1 - 0.9025) * 0.5 * normal();
      return 20 + state;
    }
    if (c < 40) return state += 8 * std::floor(scale * (0.2 + 1.6 * uniform()));
    if (c < 52) return state += std::floor(scale * 50 * (0.2 + 1.6 * uniform()));
    if (c < 60) return state += uniform() < 0.1 ? std::floor(1 + 4 * uniform()) : 0;
    if (c < 75) return state += uniform() < 0.7 ? 4096 * std::round(normal() * scale) : 0;
    if (c < 85) return uniform() < 0.3 ? state = std::floor(scale * uniform()) : state;
    return uniform() < 1.0 / 16384 ? state += 1 : state;
  }

  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  std::vector<double> state_, scale_;
};

double cpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Bill {
  double append = 0, commit = 0, settle = 0;
};

TEST_CASE("bench: append, journal and chunks", "[.bench]") {
  constexpr int kMachines = 100, kTicks = 720;
  const ScratchDirectory scratch;
  auto store = openOrFail(scratch.path());
  auto& series = store->series();
  std::vector<Machine> machines;
  Row next{{}, {}, {}};
  for (Column c = 0; c < kWidth; ++c) next.columns.push_back(c);
  for (int m = 0; m < kMachines; ++m) {
    machines.emplace_back(static_cast<std::uint64_t>(m) + 1);
    REQUIRE(series.declare(streamOf(static_cast<std::uint8_t>(m)), gauges(kWidth)));
  }
  std::mt19937_64 random(1);
  std::normal_distribution<double> jitter(0, 4);
  Bill bill;
  std::uint64_t most_journal = 0;
  for (int t = 0; t < kTicks; ++t) {
    for (int m = 0; m < kMachines; ++m) {
      machines[static_cast<std::size_t>(m)].tick(next.values);
      next.time = at(t * 5000LL + m * 50 + static_cast<std::int64_t>(jitter(random)));
      const double start = cpuSeconds();
      series.append(streamOf(static_cast<std::uint8_t>(m)), next);
      bill.append += cpuSeconds() - start;
    }
    double start = cpuSeconds();
    auto commit = series.takeCommit(at(-1));
    bill.settle += cpuSeconds() - start;
    start = cpuSeconds();
    const auto outcome = commit->write(true);
    bill.commit += cpuSeconds() - start;
    start = cpuSeconds();
    series.settle(std::move(commit), outcome);
    bill.settle += cpuSeconds() - start;
    most_journal = std::max(most_journal, series.counts().journal_bytes);
  }
  const auto counts = series.counts();
  const double millions = static_cast<double>(counts.samples) / 1e6;
  std::vector<Column> one{7};
  const double start = cpuSeconds();
  std::size_t points = 0;
  for (int m = 0; m < kMachines; ++m) {
    points += readAll(series, streamOf(static_cast<std::uint8_t>(m)), one)[0].size();
  }
  const double reading = cpuSeconds() - start;
  store.reset();
  auto database = openDatabase(scratch.path() / "db", 1u << 20);
  REQUIRE(database);
  const auto cursor = (*database)->cursor(Family::chunks);
  std::uint64_t bytes = 0, chunks = 0;
  for (cursor->seek(""); cursor->valid(); cursor->next(), ++chunks) {
    bytes += cursor->key().size() + cursor->value().size();
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"samples\":%llu,\"cpu_seconds_per_million_samples\":%.4f,\"append\":%.4f,\"commit\":%.4f,"
      "\"take_and_settle\":%.4f,\"bytes_per_sample\":%.3f,\"chunks\":%llu,\"journal_bytes\":%llu,"
      "\"read_one_column_ns_per_point\":%.1f,\"peak_rss_mb\":%ld}\n",
      static_cast<unsigned long long>(counts.samples),
      (bill.append + bill.commit + bill.settle) / millions, bill.append / millions,
      bill.commit / millions, bill.settle / millions,
      static_cast<double>(bytes) / static_cast<double>(chunks * 120 * kWidth),
      static_cast<unsigned long long>(chunks), static_cast<unsigned long long>(most_journal),
      reading * 1e9 / static_cast<double>(points), usage.ru_maxrss / 1024);
}

TEST_CASE("bench: commits beside idle streams", "[.bench]") {
  constexpr int kStreams = 10'000, kCommits = 500;
  const ScratchDirectory scratch;
  auto store = openOrFail(scratch.path());
  auto& series = store->series();
  const auto id = [](int number) {
    StreamId stream;
    stream.entity.bytes[0] = static_cast<std::uint8_t>(number >> 8);
    stream.entity.bytes[1] = static_cast<std::uint8_t>(number);
    return stream;
  };
  for (int i = 0; i < kStreams; ++i) {
    REQUIRE(series.declare(id(i), gauges(1)));
    series.append(id(i), row(0, {0}, {1}));
  }
  REQUIRE(writeOut(series));
  double taking = 0;
  for (int t = 1; t <= kCommits; ++t) {
    series.append(id(t % 10), row(t, {0}, {1}));
    const double start = cpuSeconds();
    auto commit = series.takeCommit(at(-1));
    taking += cpuSeconds() - start;
    const auto outcome = commit->write(false);
    series.settle(std::move(commit), outcome);
  }
  std::printf("{\"idle_streams\":%d,\"take_commit_microseconds\":%.1f}\n", kStreams,
              taking * 1e6 / kCommits);
}

}  // namespace
}  // namespace virtseer::store
