#include "wire/scenarios.h"

#include <algorithm>
#include <limits>

#include "wire/base64.h"

namespace virtseer::wire {
namespace {

constexpr float kPerCore = 100.0F;

std::uint16_t hundredths(float cores) {
  constexpr float kMost = std::numeric_limits<std::uint16_t>::max();
  const float scaled = cores * kPerCore;
  // Written so that what is no number becomes 0. lround() would take half of the time of it all.
  return static_cast<std::uint16_t>(scaled > 0 ? std::min(scaled, kMost) + 0.5F : 0.0F);
}

struct Shape {
  std::size_t steps = 0, paths = 0, columns = 0;
};

/// How much of the scenarios is sent; nothing of what contradicts itself.
Shape sent(const Scenarios& from) {
  const std::size_t columns = from.vms.size();
  const bool bounded =
      columns > 0 && columns <= kColumns && from.steps > 0 && from.step > Millis(0);
  if (!bounded || from.demand.size() / columns / from.steps != from.paths ||
      from.demand.size() % (columns * from.steps) != 0)
    return {};
  const std::size_t steps = std::min({from.steps, kSteps, kDemand / columns});
  const std::size_t paths = std::min({from.paths, kPaths, kDemand / (columns * steps)});
  return paths == 0 ? Shape{} : Shape{steps, paths, columns};
}

std::size_t count(Reader& reader, const char* key, std::size_t most) {
  std::size_t out = 0;
  reader(key, out);
  if (out > most) reader.fault().wrong(reader.at(key), "at most " + std::to_string(most));
  return out;
}

}  // namespace

Json scenariosJson(const Scenarios& scenarios) {
  const Shape shape = sent(scenarios);
  const std::size_t length = shape.steps * shape.columns;
  std::vector<std::uint16_t> numbers(shape.paths * length);
  for (std::size_t path = 0; path < shape.paths; ++path) {
    const float* from = scenarios.demand.data() + path * scenarios.steps * shape.columns;
    std::transform(from, from + length, numbers.data() + path * length, hundredths);
  }
  return {{"start", put(scenarios.start)},
          {"step_ms", put(scenarios.step)},
          {"steps", shape.steps},
          {"paths", shape.paths},
          {"vms", shape.columns == 0 ? Json::array() : put(scenarios.vms)},
          {"demand", base64(numbers)}};
}

void takeScenarios(const Input& in, Scenarios& out, const Place& place, Fault& fault) {
  if (!in.is_object()) return fault.wrong(place, "an object");
  Reader reader(in, place, fault);
  reader("start", out.start);
  reader("step_ms", out.step);
  out.steps = count(reader, "steps", kSteps);
  out.paths = count(reader, "paths", kPaths);
  if (const Input* vms = reader.needed("vms"))
    takeList(*vms, out.vms, reader.at("vms"), fault, kColumns);
  const Input* demand = reader.needed("demand");
  if (demand == nullptr || fault.found()) return;
  const std::size_t values = out.paths * out.steps * out.vms.size();
  if (values > kDemand) return fault.wrong(place, "fewer paths, steps or VMs");
  if (values > 0 && out.step <= Millis(0)) return fault.wrong(reader.at("step_ms"), "more than 0");
  const auto* text = demand->get_ptr<const Input::string_t*>();
  const auto numbers = text == nullptr ? std::nullopt : fromBase64(*text, values);
  if (!numbers)
    return fault.wrong(reader.at("demand"),
                       "base64 of 2 bytes for each of " + std::to_string(values) + " values");
  // Columns without a path would be a forecast of nothing.
  if (values == 0) out.steps = 0, out.paths = 0, out.vms.clear();
  out.demand.resize(values);
  std::ranges::transform(*numbers, out.demand.begin(), [](std::uint16_t number) {
    return static_cast<float>(number) / kPerCore;
  });
}

}  // namespace virtseer::wire
