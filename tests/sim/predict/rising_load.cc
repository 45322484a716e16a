#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "decide/contention.h"
#include "tests/sim/predict/replay.h"

// A rise of load on a host of one core, as an administrator would try it: when is it foreseen that
// the host runs short, and how does that compare with when it does?

using namespace virtseer;
using namespace virtseer::predict;
using test::Random;
using test::Replay;

namespace {

constexpr Millis kMinute{60'000};
constexpr std::size_t kPaths = 100;
constexpr std::size_t kHold = 4;      ///< rounds of a second in which it must be foreseen
constexpr std::size_t kShort = 6;     ///< rounds in which the host must be short
constexpr double kTargetLimit = 0.2;  ///< plan.target_limit
constexpr double kMove = 8;           ///< seconds that a move takes until it is over

/// What two guests of a real host of one core were seen to want: seconds of CPU time and of waiting
/// per second. With the rising one's load the other waits longer too.
class Host {
 public:
  explicit Host(std::uint64_t seed) : random_(seed), replay_(Millis(1000), {kMinute, 4 * kMinute}) {
    slope_ = 0.0045 * (0.8 + 0.4 * random_.uniform());
    steady_ = 0.58 + 0.06 * random_.uniform();
  }

  void second(double load) {
    const double crowd = 0.12 * load + std::max(0.0, load - 0.25) * 1.2;
    drift_ = 0.9 * drift_ + 0.003 * random_.normal();
    wants_ = {steady_ + crowd + drift_ + 0.013 * random_.normal(),
              std::max(0.0, 0.04 + 1.15 * load + crowd + (0.008 + 0.02 * load) * random_.normal())};
    replay_.run(1, [&](std::size_t vm) { return wants_.at(vm); }, 2);
  }
  /// Both guests boot, take turns on the one core, and wait for some seconds until they are set to
  /// work.
  void boot() {
    const auto wants = [&](int seconds, double value, double noise) {
      replay_.run(
          static_cast<std::size_t>(seconds),
          [&](std::size_t) { return std::max(0.0, value + noise * random_.normal()); }, 2);
    };
    wants(14 + static_cast<int>(10 * random_.uniform()), 1.0, 0.05);
    wants(3 + static_cast<int>(9 * random_.uniform()), 0.08, 0.01);
  }
  void rest(int seconds, double load = 0) {
    for (int i = 0; i < seconds; ++i) second(load);
  }

  struct Ramp {
    std::optional<double> foreseen;  ///< seconds after it began
    double predicted = 0;            ///< seconds from then on
    double elsewhere = 0;  ///< how likely another such host, which is idle, runs short with it then
    std::optional<double> shortage;  ///< seconds after it began
  };
  /// The load rises until the host has run short, or so long.
  Ramp ramp(int longest = 120) {
    Ramp out;
    std::size_t held = 0, rounds = 0;
    for (int t = 1; t <= longest && rounds < kShort; ++t) {
      second(slope_ * t);
      rounds = wants_[0] + wants_[1] >= 1 ? rounds + 1 : 0;
      if (rounds == kShort) out.shortage = t - static_cast<int>(kShort) + 1;
      const auto until = untilShort();
      held = until ? held + 1 : 0;
      if (held == kHold && !out.foreseen) {
        out.foreseen = t;
        out.predicted = *until;
        out.elsewhere = outlook({1})->probability;
      }
    }
    return out;
  }

 private:
  /// How the next minute looks on a host of one core for these of the two guests.
  std::optional<Contention> outlook(const std::vector<std::size_t>& guests) const {
    const std::array<Uuid, 2> vms{Replay::vm(0), Replay::vm(1)};
    const auto paths = replay_.predictor.scenarios(vms, Resource::cpu, kMinute, kPaths, 1);
    if (!paths || paths->vms.size() < 2) return std::nullopt;
    decide::Demand sum;
    for (std::size_t at = 0; at < paths->demand.size(); at += 2) {
      sum.push_back(0);
      for (const auto guest : guests) sum.back() += paths->demand[at + guest];
    }
    const decide::Grid grid{paths->start, paths->step, paths->steps, paths->paths};
    const decide::Limit limit{.capacity = 1, .threshold = 0.5, .lasting = kShort};
    return decide::assess(sum, {}, grid, limit, replay_.now);
  }
  /// Absent unless more than half of the paths want more than the host has at some time; until they
  /// do for as long as it is measured.
  std::optional<double> untilShort() const {
    const auto out = outlook({0, 1});
    if (!out || !out->until) return std::nullopt;
    return std::chrono::duration<double>(*out->until).count();
  }

  Random random_;
  Replay replay_;
  double slope_, steady_;
  double drift_ = 0;
  std::array<double, 2> wants_{};
};

}  // namespace

TEST_CASE("a ramp is told in time, and when the host runs short to within a factor of two") {
  const bool booted = GENERATE(false, true);
  constexpr std::uint64_t kStories = 48;
  int in_time = 0, within = 0, open = 0;
  std::string ratios;
  for (std::uint64_t seed = 1; seed <= kStories; ++seed) {
    Host host(seed);
    if (booted) host.boot();
    host.rest(72);
    const auto ramp = host.ramp();
    REQUIRE(ramp.shortage);
    if (!ramp.foreseen || *ramp.foreseen >= *ramp.shortage) continue;
    const double lead = *ramp.shortage - *ramp.foreseen;
    in_time += lead > kMove ? 1 : 0;
    open += ramp.elsewhere <= kTargetLimit ? 1 : 0;
    ratios += fmt::format("{:.2f}@{:.0f} ", ramp.predicted / lead, lead);
    within += ramp.predicted >= lead / 2 && ramp.predicted <= lead * 2 ? 1 : 0;
  }
  INFO((booted ? "after a boot: " : "")
       << in_time << " in time, " << within << " within a factor of two, " << open
       << " with room elsewhere: " << ratios);
  CHECK(in_time >= 46);
  CHECK(within >= 45);
  CHECK(open >= 46);
}
