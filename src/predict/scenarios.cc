#include "predict/scenarios.h"

#include <algorithm>
#include <cmath>

namespace virtseer::predict {
namespace {

/// splitmix64 (Steele, Lea & Flood 2014): the same numbers everywhere, unlike std distributions.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}
  /// Below `bound`, which is far below 2^32; zero if that is zero.
  std::size_t below(std::size_t bound) {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<std::size_t>(((z ^ (z >> 31)) >> 32) * bound >> 32);
  }

 private:
  std::uint64_t state_;
};

/// The errors of one VM that are known, for those that its own past cannot answer.
std::vector<float> known(const std::vector<float>& errors) {
  std::vector<float> out;
  std::copy_if(errors.begin(), errors.end(), std::back_inserter(out),
               [](float error) { return std::isfinite(error); });
  return out;
}

/// For each step of a path, how far back from the end of the common past its errors are taken.
void drawBlocks(std::size_t past, std::size_t block, Draws& draws, std::vector<std::size_t>& back) {
  for (std::size_t step = 0; step < back.size();) {
    const std::size_t first = past - draws.below(past - block + 1);
    for (std::size_t i = 0; i < block && step < back.size(); ++i) back[step++] = first - i;
  }
}

}  // namespace

Scenarios scenarios(const std::vector<Rhythm>& vms, const ScenarioShape& shape) {
  Scenarios out{shape.start, shape.step, shape.steps, shape.paths, {}, {}};
  if (vms.empty() || shape.steps == 0 || shape.paths == 0)
    return {shape.start, shape.step, 0, 0, {}, {}};
  std::size_t past = 0;
  std::vector<std::vector<float>> own;
  for (const auto& vm : vms) {
    out.vms.push_back(vm.vm);
    past = std::max(past, vm.errors.size());
    own.push_back(known(vm.errors));
  }
  out.demand.resize(shape.paths * shape.steps * vms.size());
  const std::size_t block = std::max<std::size_t>(1, std::min(shape.steps, past / 4));

  Draws draws(shape.seed);
  std::vector<std::size_t> back(shape.steps);
  for (std::size_t path = 0; path < shape.paths; ++path) {
    if (past > 0) drawBlocks(past, block, draws, back);
    for (std::size_t v = 0; v < vms.size(); ++v) {
      const auto& errors = vms[v].errors;
      Smoother state = vms[v].now;
      float* demand = &out.demand[path * shape.steps * vms.size() + v];
      for (std::size_t step = 0; step < shape.steps; ++step, demand += vms.size()) {
        double error = 0;
        if (past > 0 && back[step] <= errors.size()) error = errors[errors.size() - back[step]];
        if ((past > 0 && back[step] > errors.size()) || !std::isfinite(error))
          error = own[v].empty() ? 0 : own[v][draws.below(own[v].size())];
        const double value = std::clamp(state.next() + error, 0.0, vms[v].upper);
        state.take(value);
        *demand = static_cast<float>(value);
      }
    }
  }
  return out;
}

}  // namespace virtseer::predict
