#include "daemon/foresight.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "collect/schedule.h"
#include "daemon/foresight_impl.h"
#include "decide/policy.h"

namespace virtseer::daemon {

namespace asio = boost::asio;

decide::PlannerRules plannerRules(const Config& config) {
  const auto& plan = config.plan;
  decide::PlannerRules out;
  out.threshold = plan.threshold;
  out.lasting = plan.round * static_cast<std::int64_t>(plan.contended_rounds);
  out.act_within = plan.act_within;
  out.target_limit = plan.target_limit;
  out.margin = plan.margin;
  out.round = plan.round;
  out.hold_rounds = plan.hold_rounds;
  out.quiet_rounds = plan.quiet_rounds;
  out.settle = plan.settle;
  out.cooldown = plan.cooldown;
  out.cooldown_longest = plan.cooldown_longest;
  out.in_flight = plan.in_flight;
  out.in_flight_per_host = plan.in_flight_per_host;
  out.per_hour = plan.per_hour;
  out.stale_after = std::max(6 * plan.round, Millis(30'000));
  out.downtime_limit = config.migration.downtime_limit;
  if (config.migration.bandwidth_bytes_per_s > 0)
    out.link_bytes_per_s = static_cast<double>(config.migration.bandwidth_bytes_per_s);
  return out;
}

Foresight::Foresight(asio::any_io_executor loop, const Clock& clock, const Config& config,
                     ForesightContext context)
    : impl_(std::make_unique<Impl>(std::move(loop), clock, config, std::move(context))) {}

Foresight::~Foresight() = default;

asio::awaitable<void> Foresight::run() {
  const auto start = impl_->clock.mono();
  for (;;) {
    co_await impl_->round();
    const auto now = impl_->clock.mono();
    asio::steady_timer timer(impl_->loop);
    timer.expires_after(collect::nextTick(start, impl_->config.plan.round, now) - now);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> Foresight::round() {
  return impl_->round();
}

asio::awaitable<void> Foresight::save() {
  return impl_->keep();
}

void Foresight::storeSwapped() {
  impl_->feed.forgetColumns();
  ++impl_->store;
}

void Foresight::stale() {
  impl_->facts_stale = true;
}

Result<api::ForecastAnswer> Foresight::forecast(const Vm& vm) const {
  api::ForecastAnswer out{vm.uuid, vm.name, {}, {}};
  if (!runs(vm.state)) {
    out.missing.push_back(fmt::format("it is {}: nothing is foreseen", name(vm.state)));
    return out;
  }
  if (impl_->foreseen)
    if (const auto found = impl_->foreseen->vms.find(vm.uuid);
        found != impl_->foreseen->vms.end()) {
      out.forecasts = found->second.forecasts;
      out.missing = found->second.missing;
      return out;
    }
  out.missing.push_back("no round has seen it yet: try again in some seconds");
  return out;
}

std::optional<Plan> Foresight::plan() const {
  return impl_->archive.newest();
}

std::optional<Plan> Foresight::plan(const std::string& id) const {
  return impl_->archive.find(id);
}

asio::awaitable<Result<Ranking>> Foresight::rank(Uuid vm) {
  co_return co_await impl_->atDesk(
      "ranking of hosts", [vm, policy = impl_->context.policy(), now = impl_->clock.wall()](
                              const RoundWorker& worker) { return worker.rank(vm, policy, now); });
}

ResolvedPolicy Foresight::policy(const Vm& vm) const {
  std::optional<PolicyMetadata> metadata;
  if (impl_->facts) {
    const auto placed = std::ranges::find(impl_->facts->vms, vm.uuid, &PlacedVm::uuid);
    if (placed != impl_->facts->vms.end()) metadata = placed->metadata;
  }
  return decide::resolve(impl_->context.policy(), vm.uuid, vm.name, metadata);
}

Result<FleetState> Foresight::fleetState() const {
  if (!impl_->facts || !impl_->last_round)
    return fail(Code::busy, "this host is not known well enough yet: its libvirt has not answered");
  FleetState out;
  out.now = impl_->clock.wall();
  out.host = impl_->own(*impl_->last_round);
  if (impl_->foreseen) out.scenarios = impl_->foreseen->scenarios;
  return out;
}

HostRoom Foresight::room() const {
  const auto host = impl_->context.host();
  HostRoom out;
  out.cpus = host.capacity.cpus;
  out.memory_bytes = host.capacity.memory_bytes;
  out.maintenance = impl_->context.maintenance();
  out.used_cpus = std::max(0.0, impl_->own_cpus.value_or(0) - impl_->config.host.reserve_cpus);
  std::unordered_set<Uuid> coming;
  for (const auto& flight : impl_->context.flights())
    if (flight.to == host.uuid) coming.insert(flight.vm);
  for (const auto& vm : impl_->context.vms()) {
    // What is still on its way in is counted by its reservation.
    if (!occupies(vm.state) || (!runs(vm.state) && coming.contains(vm.uuid))) continue;
    out.present.push_back(vm.uuid);
    if (runs(vm.state)) out.used_cpus += impl_->wantedCpus(vm);
    out.used_memory_bytes += vm.memory_bytes.value_or(0);
  }
  return out;
}

std::pair<double, std::uint64_t> Foresight::wants(const Vm& vm) const {
  return {impl_->wantedCpus(vm), vm.memory_bytes.value_or(0)};
}

Foresight::Measured Foresight::contended() const {
  return {impl_->watch.contended(), impl_->watch.since(), impl_->delay_cores};
}

std::vector<Duplicate> Foresight::duplicates() const {
  return impl_->duplicates.found();
}

Foresight::Counts Foresight::counts() const {
  return impl_->counts;
}

}  // namespace virtseer::daemon
