#include <array>
#include <charconv>
#include <chrono>

#include "api/metrics.h"

/// The daemon about what it foresees, decides and does.
namespace virtseer::api {
namespace {

std::string label(std::string_view name, std::string_view value) {
  std::string out;
  appendLabel(out, name, value);
  return out;
}

/// Shortest decimal of a probability or span: "0.95", "900".
std::string decimal(double value) {
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

}  // namespace

void MetricsText::addDecisions() {
  if (!input_.decisions) return;
  const DecisionsInput& decisions = *input_.decisions;
  const Decisions::Counts& counts = decisions.counts;
  const auto gauge = [&](const char* name, const char* help, auto value) {
    own(name, Kind::gauge, help, "", static_cast<double>(value));
  };
  const auto counter = [&](const char* name, const char* help, std::string_view labels,
                           std::uint64_t value) {
    own(name, Kind::counter, help, labels, static_cast<double>(value));
  };
  gauge("virtseer_automation_on", "0 if the global stop holds: nothing is done by itself",
        decisions.automation ? 1 : 0);
  gauge("virtseer_host_maintenance", "1 if this host takes no VM and gives up its own",
        decisions.maintenance ? 1 : 0);
  counter("virtseer_plan_rounds_total", "Rounds in which the planner looked at the fleet", "",
          counts.rounds);
  counter("virtseer_plans_total", "Plans that said something else than the one before", "",
          counts.plans);
  counter("virtseer_forecasts_scored_total", "Forecasts that came due and were held to the truth",
          "", counts.forecasts_scored);
  counter("virtseer_forecast_points_dropped_total",
          "Points of demand that came too late or too often to be learned from", "",
          counts.forecast_points_dropped);
  constexpr const char* kEnded = "Operations that have ended, by outcome";
  counter("virtseer_operations_total", kEnded, label("outcome", "done"), counts.operations_done);
  counter("virtseer_operations_total", kEnded, label("outcome", "refused"),
          counts.operations_refused);
  counter("virtseer_operations_total", kEnded, label("outcome", "failed"),
          counts.operations_failed);
  gauge("virtseer_operations_active", "Operations that have not ended", counts.operations_active);
  gauge("virtseer_peers", "Daemons of other hosts that the configuration names", counts.peers);
  gauge("virtseer_peers_silent", "Of these, those that do not answer", counts.peers_silent);
  if (decisions.plan) addPlan(*decisions.plan);
}

void MetricsText::addPlan(const Plan& plan) {
  std::array<std::size_t, 3> steps{};
  for (const auto& step : plan.steps) ++steps[static_cast<std::size_t>(step.state) % steps.size()];
  for (const StepState state : {StepState::due, StepState::holding, StepState::waiting})
    own("virtseer_plan_steps", Kind::gauge, "Moves that the newest plan proposes, by state",
        label("state", name(state)), static_cast<double>(steps[static_cast<std::size_t>(state)]));
  for (const auto& host : plan.hosts) {
    if (!host.unusable.empty()) continue;
    std::string labels = label("host", host.name);
    appendLabel(labels, "uuid", host.host.text());
    own("virtseer_host_contention_probability", Kind::gauge,
        "Highest probability, over the steps of the horizon, that the VMs of the host want more "
        "CPU than it has",
        labels, host.contention.probability);
  }
}

void MetricsText::addForecasts(const ForecastAnswer& answer) {
  std::string vm = label("domain", answer.vm_name);
  appendLabel(vm, "uuid", answer.vm.text());
  for (const auto& view : answer.forecasts)
    if (view.forecast.resource == Resource::cpu &&
        input_.now - view.forecast.made <= input_.stale_after)
      addForecast(vm, view.forecast);
}

void MetricsText::addForecast(const std::string& vm, const Forecast& forecast) {
  const double seconds = std::chrono::duration<double>(forecast.horizon).count();
  const auto write = [&](std::string_view target, const Quantiles& quantiles) {
    const std::array<std::optional<double>, kQuantiles.size()> values{quantiles.p50, quantiles.p80,
                                                                      quantiles.p95, quantiles.p99};
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!values[i]) continue;
      std::string labels = vm;
      appendLabel(labels, "horizon_seconds", decimal(seconds));
      // `quantile` belongs to summaries.
      appendLabel(labels, "probability", decimal(kQuantiles[i]));
      appendLabel(labels, "target", target);
      own("virtseer_forecast_cpu_cores", Kind::gauge,
          "Cores that the VM is foreseen to want, waiting for a CPU included: its mean (level) or "
          "its highest (peak) over the horizon stays below with the probability",
          labels, *values[i]);
    }
  };
  write("level", forecast.level.quantiles);
  write("peak", forecast.peak.quantiles);
}

}  // namespace virtseer::api
