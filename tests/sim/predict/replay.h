#pragma once

#include <functional>
#include <vector>

#include "predict/predictor.h"
#include "tests/sim/predict/random.h"

namespace virtseer::test {

/// A predictor under a virtual clock: one point of demand per step and VM, scored as time goes.
class Replay {
 public:
  Replay(Millis step, std::vector<Millis> horizons)
      : predictor(predict::PredictorOptions{step, Millis(0), std::move(horizons), 100}),
        step_(step) {}

  /// Lets `steps` pass; `demand` gives the demand of `vm` in the next step.
  void run(std::size_t steps, const std::function<double(std::size_t)>& demand,
           std::size_t vms = 1) {
    for (std::size_t i = 0; i < steps; ++i) {
      now += step_;
      for (std::size_t v = 0; v < vms; ++v) predictor.observe(vm(v), Resource::cpu, now, demand(v));
      for (const auto& outcome : predictor.score(now)) outcomes.push_back(outcome);
    }
  }

  Forecast forecast(Millis horizon, std::size_t v = 0) const {
    return predictor.forecast(vm(v), Resource::cpu, horizon, now).value();
  }

  static Uuid vm(std::size_t number) {
    Uuid uuid;
    uuid.bytes[15] = static_cast<std::uint8_t>(number + 1);
    return uuid;
  }

  predict::Predictor predictor;
  Timestamp now{Millis(1'700'000'000'000)};
  std::vector<predict::Outcome> outcomes;

 private:
  Millis step_;
};

}  // namespace virtseer::test
