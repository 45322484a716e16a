#include "model/forecast.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace virtseer {
namespace {

struct ResourceWords {
  Resource resource;
  std::string_view name;
  std::string_view unit;
};
constexpr std::array<ResourceWords, kResources> kWords{
    {{Resource::cpu, "cpu", "cores"},
     {Resource::memory, "memory", "bytes"},
     {Resource::disk, "disk", "bytes_per_second"},
     {Resource::network, "network", "bytes_per_second"}}};

}  // namespace

std::string_view name(Resource resource) {
  for (const auto& words : kWords)
    if (words.resource == resource) return words.name;
  return "unknown";
}

std::string_view unit(Resource resource) {
  for (const auto& words : kWords)
    if (words.resource == resource) return words.unit;
  return "unknown";
}

std::optional<Resource> parseResource(std::string_view text) {
  for (const auto& words : kWords)
    if (words.name == text) return words.resource;
  return std::nullopt;
}

std::string_view name(Forecaster forecaster) {
  switch (forecaster) {
    case Forecaster::damped_trend:
      return "damped_trend";
    case Forecaster::smoothing:
      return "smoothing";
    case Forecaster::recent_maximum:
      return "recent_maximum";
    case Forecaster::last_value:
      return "last_value";
  }
  return "unknown";
}

std::string_view name(Calibration calibration) {
  switch (calibration) {
    case Calibration::none:
      return "none";
    case Calibration::pooled:
      return "pooled";
    case Calibration::own:
      return "own";
  }
  return "unknown";
}

std::optional<double> TargetRecord::coverage(std::size_t index) const {
  if (index >= promised.size() || promised[index] == 0) return std::nullopt;
  return static_cast<double>(held[index]) / static_cast<double>(promised[index]);
}

TrackRecord::Recent TrackRecord::recent(const TargetRecord& target) const {
  const auto of = static_cast<std::uint32_t>(std::min<std::uint64_t>(scored, 64));
  const std::uint64_t mask = of == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << of) - 1;
  return {static_cast<std::uint32_t>(std::popcount(target.recent & mask)), of};
}

}  // namespace virtseer
