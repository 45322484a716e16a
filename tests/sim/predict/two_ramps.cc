#include <catch2/catch.hpp>
#include <cmath>
#include <optional>

#include "tests/sim/predict/replay.h"

// The same rise of load twice on a host of one core, as an administrator would try it: when is it
// foreseen that the host runs short, and how does that compare with when it does? Between the two
// the load jumps to its full height and is then taken away, which forecasts must get over.

using namespace virtseer;
using namespace virtseer::predict;
using test::Random;
using test::Replay;

namespace {

constexpr Millis kMinute{60'000};
constexpr std::size_t kPaths = 100;
constexpr std::size_t kHold = 4;   ///< rounds of a second in which it must be foreseen
constexpr std::size_t kShort = 6;  ///< rounds in which the host must be short
constexpr double kMove = 8;        ///< seconds that a move takes until it is over

/// What two guests of a real host of one core were seen to want: seconds of CPU time and of waiting
/// per second, over three seconds. With the rising one's load the other waits longer too.
class Host {
 public:
  explicit Host(std::uint64_t seed) : random_(seed), replay_(Millis(1000), {kMinute, 4 * kMinute}) {
    slope_ = 0.0045 * (0.8 + 0.4 * random_.uniform());
    steady_ = 0.58 + 0.06 * random_.uniform();
  }

  void second(double load) {
    const double crowd = 0.12 * load + std::max(0.0, load - 0.25) * 1.2;
    drift_ = 0.8 * drift_ + 0.012 * random_.normal();
    noise_ = 0.6 * noise_ + 0.01 * random_.normal();
    wants_ = {steady_ + crowd + drift_, std::max(0.0, 0.04 + 1.15 * load + crowd + noise_)};
    replay_.run(1, [&](std::size_t vm) { return wants_.at(vm); }, 2);
  }
  void rest(int seconds, double load = 0) {
    for (int i = 0; i < seconds; ++i) second(load);
  }

  struct Ramp {
    std::optional<double> foreseen;  ///< seconds after it began
    double predicted = 0;            ///< seconds from then on
    std::optional<double> shortage;  ///< seconds after it began
  };
  /// The load rises until the host has run short, or so long.
  Ramp ramp(double threshold, int longest = 120) {
    Ramp out;
    std::size_t held = 0, rounds = 0;
    for (int t = 1; t <= longest && rounds < kShort; ++t) {
      second(slope_ * t);
      rounds = wants_[0] + wants_[1] >= 1 ? rounds + 1 : 0;
      if (rounds == kShort) out.shortage = t - static_cast<int>(kShort) + 1;
      const auto until = untilShort(threshold);
      held = until ? held + 1 : 0;
      if (held == kHold && !out.foreseen) {
        out.foreseen = t;
        out.predicted = *until;
      }
    }
    return out;
  }

 private:
  std::optional<double> untilShort(double threshold) const {
    const std::array<Uuid, 2> vms{Replay::vm(0), Replay::vm(1)};
    const auto paths = replay_.predictor.scenarios(vms, Resource::cpu, kMinute, kPaths, 1);
    if (!paths || paths->vms.size() < 2) return std::nullopt;
    for (std::size_t step = 0; step < paths->steps; ++step) {
      std::size_t over = 0;
      for (std::size_t path = 0; path < paths->paths; ++path) {
        const auto* at = &paths->demand[(path * paths->steps + step) * 2];
        over += at[0] + at[1] > 1 ? 1 : 0;
      }
      if (static_cast<double>(over) < threshold * static_cast<double>(paths->paths)) continue;
      return std::chrono::duration<double>(paths->start - replay_.now +
                                           paths->step * static_cast<std::int64_t>(step))
          .count();
    }
    return std::nullopt;
  }

  Random random_;
  Replay replay_;
  double slope_, steady_;
  double drift_ = 0, noise_ = 0;
  std::array<double, 2> wants_{};
};

}  // namespace

TEST_CASE("a ramp is told in time and to within a factor of two, also the second one") {
  constexpr double kThreshold = 0.35;
  constexpr std::uint64_t kStories = 48;
  int told = 0, within = 0, in_time = 0;
  for (std::uint64_t seed = 1; seed <= kStories; ++seed) {
    Host host(seed);
    host.rest(75);
    const auto first = host.ramp(kThreshold);
    REQUIRE(first.shortage);
    for (int i = 1; i <= 6; ++i) host.second(0.3 + 0.1 * i);
    host.rest(14, 0.9);
    for (int i = 12; i > 0; --i) host.second(0.075 * i);
    host.rest(26);
    const auto second = host.ramp(kThreshold);
    if (first.foreseen && *first.foreseen < *first.shortage) {
      ++told;
      const double ratio = first.predicted / (*first.shortage - *first.foreseen);
      within += ratio >= 0.5 && ratio <= 2 ? 1 : 0;
    }
    in_time += second.foreseen && *second.foreseen + kMove < *first.shortage ? 1 : 0;
  }
  INFO(told << " told, " << within << " within a factor of two, " << in_time << " in time");
  CHECK(told >= 47);
  CHECK(within >= 44);
  CHECK(in_time >= 45);
}
