#include "decide/placement.h"

#include <algorithm>
#include <cmath>

#include "decide/filters.h"

namespace virtseer::decide {
namespace {

std::uint64_t less(std::uint64_t have, std::uint64_t taken) {
  return have > taken ? have - taken : 0;
}

}  // namespace

Placement::Placement(const FleetView& view, std::span<const Flight> issued,
                     const PlannerRules& rules, Timestamp now)
    : rules_(rules), now_(now), table_(view.scenarios, now) {
  list(view);
  counts_for_.reserve(vms_.size());
  for (const auto& vm : vms_) counts_for_.push_back(vm.host);
  for (const auto& host : view.hosts)
    for (const auto& flight : host.flights) fly(flight.vm, flight.from, flight.to);
  for (const auto& flight : issued) fly(flight.vm, flight.from, flight.to);
  for (const auto& host : hosts_)
    for (const auto& held : host.state->reservations) {
      const auto vm = this->vm(held.vm);
      if (held.expires > now_ && vm && !lists(*this->host(host.state->uuid), held.vm))
        fly(held.vm, hosts_[vms_[*vm].host].state->uuid, host.state->uuid);
    }
  // After those on their way: a VM that is verified may be going back already.
  for (const auto& host : view.hosts)
    for (const auto& flight : host.flights) land(flight);
  demands_.resize(vms_.size());
  addUp();
}

void Placement::list(const FleetView& view) {
  for (const auto& state : view.hosts) {
    if (!host_index_.try_emplace(state.uuid, static_cast<std::uint32_t>(hosts_.size())).second)
      continue;
    HostRow row;
    row.state = &state;
    row.unusable = checkInformation(state, rules_, now_);
    hosts_.push_back(std::move(row));
  }
  for (std::uint32_t host = 0; host < hosts_.size(); ++host) {
    std::uint64_t given = 0;
    for (const auto& vm : hosts_[host].state->vms) {
      if (!occupies(vm.state)) continue;
      given += vm.memory_bytes;
      listed_on_[vm.uuid].push_back(host);
      const auto [known, added] =
          vm_index_.try_emplace(vm.uuid, static_cast<std::uint32_t>(vms_.size()));
      if (added) {
        vms_.push_back({&vm, host, 0, table_.knows(vm.uuid), false, false});
        continue;
      }
      // Listed twice: an incoming copy waits paused at the target until the source lets go.
      auto& row = vms_[known->second];
      row.twice = row.twice || (runs(row.vm->state) && runs(vm.state));
      if (runs(vm.state) && !runs(row.vm->state)) row.vm = &vm, row.host = host;
    }
    auto& row = hosts_[host];
    row.memory_free =
        less(row.state->capacity.memory_bytes, std::max(given, row.state->memory_given));
  }
  for (std::uint32_t vm = 0; vm < vms_.size(); ++vm) hosts_[vms_[vm].host].vms.push_back(vm);
}

bool Placement::lists(std::uint32_t host, const Uuid& vm) const {
  const auto found = listed_on_.find(vm);
  return found != listed_on_.end() && std::ranges::find(found->second, host) != found->second.end();
}

void Placement::fly(const Uuid& vm_uuid, const Uuid& from, const Uuid& to) {
  const auto vm = this->vm(vm_uuid);
  if (!vm || vms_[*vm].in_flight) return;
  const auto source = host(from);
  const auto target = host(to);
  auto& row = vms_[*vm];
  if (target && row.host == *target) return;  // it has arrived
  counts_for_[*vm] = target.value_or(DemandTable::kNowhere);
  count(row, source, target);
  if (!target) return;
  if (!lists(*target, vm_uuid))
    hosts_[*target].memory_free = less(hosts_[*target].memory_free, row.vm->memory_bytes);
}

void Placement::land(const Flight& flight) {
  const auto vm = this->vm(flight.vm);
  const auto target = host(flight.to);
  if (!vm || !target || vms_[*vm].in_flight || vms_[*vm].host != *target) return;
  count(vms_[*vm], host(flight.from), target);
}

void Placement::count(VmRow& row, std::optional<std::uint32_t> source,
                      std::optional<std::uint32_t> target) {
  row.in_flight = true;
  ++in_flight_;
  if (source) ++hosts_[*source].in_flight;
  if (target) ++hosts_[*target].in_flight;
}

void Placement::addUp() {
  std::unordered_map<Uuid, std::uint32_t> host_of(host_index_);
  for (std::uint32_t vm = 0; vm < vms_.size(); ++vm)
    host_of.insert_or_assign(vms_[vm].vm->uuid, counts_for_[vm]);
  std::unordered_map<Uuid, double> means;
  auto sums = table_.sums(host_of, hosts_.size(), means);
  for (std::uint32_t host = 0; host < hosts_.size(); ++host)
    hosts_[host].sum = std::move(sums[host]);
  const auto add = [&](std::uint32_t host, double cpus) {
    if (host >= hosts_.size() || !(cpus > 0)) return;
    for (auto& row : hosts_[host].sum) row += static_cast<float>(cpus);
  };
  for (std::uint32_t vm = 0; vm < vms_.size(); ++vm) {
    auto& row = vms_[vm];
    row.mean_cpus = row.forecast                         ? means[row.vm->uuid]
                    : std::isfinite(row.vm->demand_cpus) ? std::max(0.0, row.vm->demand_cpus)
                                                         : 0.0;
    if (!row.forecast) add(counts_for_[vm], row.mean_cpus);
  }
  for (std::uint32_t host = 0; host < hosts_.size(); ++host) {
    for (const auto& held : hosts_[host].state->reservations) {
      if (held.expires <= now_ || vm_index_.contains(held.vm)) continue;
      add(host, held.cpus);
      hosts_[host].memory_free = less(hosts_[host].memory_free, held.memory_bytes);
      ++hosts_[host].in_flight;
    }
    weigh(host);
  }
}

double Placement::capacity(const HostRow& host) const {
  return host.state->capacity.cpus * rules_.full;
}

Limit Placement::limit(const HostRow& host) const {
  const auto steps = (rules_.lasting + grid().step - Millis(1)) / grid().step;
  return {.capacity = capacity(host),
          .threshold = rules_.threshold,
          .lasting = static_cast<std::size_t>(std::max<std::int64_t>(1, steps))};
}

void Placement::weigh(std::uint32_t index) {
  auto& host = hosts_[index];
  host.contention = assess(host.sum, {}, grid(), limit(host), now_);
}

std::optional<std::uint32_t> Placement::host(const Uuid& uuid) const {
  const auto found = host_index_.find(uuid);
  if (found == host_index_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint32_t> Placement::vm(const Uuid& uuid) const {
  const auto found = vm_index_.find(uuid);
  if (found == vm_index_.end()) return std::nullopt;
  return found->second;
}

const Demand& Placement::demand(std::uint32_t vm) {
  auto& demand = demands_[vm];
  if (demand.empty())
    demand = vms_[vm].forecast ? table_.column(vms_[vm].vm->uuid)
                               : Demand(grid().rows(), static_cast<float>(vms_[vm].mean_cpus));
  return demand;
}

Contention Placement::with(std::uint32_t host, std::uint32_t vm, float sign) {
  const auto& row = hosts_[host];
  return assess(row.sum, {demand(vm), sign}, grid(), limit(row), now_);
}

void Placement::move(std::uint32_t vm, std::uint32_t to) {
  const auto from = counts_for_[vm];
  if (from == to) return;
  const auto& wanted = demand(vm);
  if (from < hosts_.size()) {
    auto& sum = hosts_[from].sum;
    for (std::size_t row = 0; row < sum.size(); ++row) sum[row] -= wanted[row];
    weigh(from);
  }
  auto& target = hosts_[to];
  for (std::size_t row = 0; row < target.sum.size(); ++row) target.sum[row] += wanted[row];
  target.memory_free = less(target.memory_free, vms_[vm].vm->memory_bytes);
  weigh(to);
  counts_for_[vm] = to;
}

void Placement::countFlight(std::uint32_t from, std::uint32_t to) {
  ++hosts_[from].in_flight;
  ++hosts_[to].in_flight;
  ++in_flight_;
}

}  // namespace virtseer::decide
