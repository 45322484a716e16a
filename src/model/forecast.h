#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer {

/// What a VM asks of its host. Units: cores, bytes, bytes per second, bytes per second.
enum class Resource : std::uint8_t { cpu = 0, memory = 1, disk = 2, network = 3 };
inline constexpr std::size_t kResources = 4;
std::string_view name(Resource resource);
std::string_view unit(Resource resource);
std::optional<Resource> parseResource(std::string_view text);

/// What made a point forecast.
enum class Forecaster : std::uint8_t { damped_trend, smoothing, recent_maximum, last_value };
inline constexpr std::size_t kForecasters = 4;
std::string_view name(Forecaster forecaster);

/// Whose scored outcomes a band rests on.
enum class Calibration : std::uint8_t {
  none,    ///< nobody's: a wide band by convention
  pooled,  ///< those of all VMs for this resource and horizon
  own,     ///< those of this VM
};
std::string_view name(Calibration calibration);

/// The probabilities of the quantiles, in the order of every array of four that speaks of them.
inline constexpr std::array<double, 4> kQuantiles{0.50, 0.80, 0.95, 0.99};

/// Values that demand stays below with probability 0.50, 0.80, 0.95, 0.99. They never cross.
struct Quantiles {
  double p50 = 0;
  double p80 = 0;
  double p95 = 0;
  std::optional<double> p99;  ///< absent while too few outcomes were scored to promise it

  bool operator==(const Quantiles&) const = default;
};

/// What is said about one target: the mean or the maximum of demand over the horizon.
struct Outlook {
  double point = 0;  ///< as the forecaster made it, before calibration
  Forecaster by = Forecaster::last_value;
  Quantiles quantiles;
  Calibration calibration = Calibration::none;  ///< what p95 rests on
  std::uint32_t outcomes = 0;                   ///< scored outcomes behind p95

  bool operator==(const Outlook&) const = default;
};

/// How much of a resource a VM will want.
struct Forecast {
  Uuid vm;
  Resource resource = Resource::cpu;
  Timestamp made;     ///< everything before was known; the horizon is [made, made + horizon)
  Millis horizon{0};  ///< length of what is foreseen
  Outlook level;      ///< mean demand over the horizon
  Outlook peak;       ///< highest demand of any step within the horizon
  std::string note;   ///< why the band is wide, for a person; empty if nothing is special

  bool operator==(const Forecast&) const = default;
};

/// How forecasts of one target kept their word.
struct TargetRecord {
  std::array<std::uint64_t, 4> promised{};  ///< scored forecasts that had the quantile
  std::array<std::uint64_t, 4> held{};      ///< of these, those whose truth did not exceed it
  double absolute_error = 0;                ///< sum of |truth - point| over all scored
  std::uint64_t recent = 0;  ///< bit 0 is the newest: 1 where the truth stayed below p95

  /// Share of truths at or below quantile `index` (as in kQuantiles); absent before the first.
  std::optional<double> coverage(std::size_t index) const;
  bool operator==(const TargetRecord&) const = default;
};

/// The track record of one VM, resource and horizon.
struct TrackRecord {
  std::uint64_t scored = 0;
  std::uint64_t unscored = 0;  ///< came due, but the truth was missing
  TargetRecord level;
  TargetRecord peak;

  /// Of the last (at most 64) scored forecasts, how many kept their p95: {held, of}.
  struct Recent {
    std::uint32_t held = 0;
    std::uint32_t of = 0;
  };
  Recent recent(const TargetRecord& target) const;
  bool operator==(const TrackRecord&) const = default;
};

}  // namespace virtseer
