#include "sim/decide/fleet.h"

#include <algorithm>
#include <stdexcept>

namespace virtseer::sim {
namespace {

constexpr std::size_t kPaths = 16;
constexpr std::size_t kSteps = 24;

/// Numbers in [-1, 1) that are the same on every machine.
double noise(std::uint64_t seed) {
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebULL;
  seed ^= seed >> 31;
  return static_cast<double>(seed >> 11) / static_cast<double>(1ULL << 52) - 1;
}

}  // namespace

Want ramp(double before, double after, double from_s, double to_s) {
  return [=](double at) {
    if (at <= from_s) return before;
    if (at >= to_s) return after;
    return before + (after - before) * (at - from_s) / (to_s - from_s);
  };
}

Fleet::Fleet() : start_(std::chrono::hours(500'000)), now_(start_) {
  configuration.defaults.mode = Mode::automatic;
  configuration.defaults.unlocked_disks = true;
}

HostState& Fleet::addHost(const std::string& name, double cpus, std::uint64_t memory) {
  HostState host;
  host.uuid.bytes = {0xA0, ++last_uuid_};
  host.name = name;
  host.capacity = {cpus, memory, "configuration"};
  host.as_of = now_;
  host.cpu = {"EPYC", {"avx2", "sse4.2"}};
  host.machine_types = {"pc-q35-7.2"};
  host.storage = {{"nfs", true, 1000 * kGiB}, {name + "-local", false, 500 * kGiB}};
  host.networks = {"default"};
  host.link_bytes_per_s = 200e6;
  hosts_.push_back(host);
  ledgers[name];
  return hosts_.back();
}

PlacedVm& Fleet::addVm(const std::string& name, const std::string& host_name, Want want,
                       std::uint64_t memory) {
  PlacedVm vm;
  vm.uuid.bytes = {0xB0, ++last_uuid_};
  vm.name = name;
  vm.vcpus = 2;
  vm.memory_bytes = memory;
  vm.dirty_bytes_per_s = 10e6;
  vm.cpu = {"EPYC", {"avx2", "sse4.2"}};
  vm.machine = "pc-q35-7.2";
  vm.disks = {{"nfs", 20 * kGiB}};
  vm.networks = {"default"};
  wants_[name] = std::move(want);
  auto& on = host(host_name);
  on.vms.push_back(vm);
  return on.vms.back();
}

HostState& Fleet::host(const std::string& name) {
  for (auto& host : hosts_)
    if (host.name == name) return host;
  throw std::out_of_range("no host " + name);
}

PlacedVm& Fleet::vm(const std::string& name) {
  for (auto& host : hosts_)
    for (auto& vm : host.vms)
      if (vm.name == name) return vm;
  throw std::out_of_range("no VM " + name);
}

std::string Fleet::where(const std::string& name) const {
  for (const auto& host : hosts_)
    for (const auto& vm : host.vms)
      if (vm.name == name) return host.name;
  return "";
}

double Fleet::seconds() const {
  return std::chrono::duration<double>(now_ - start_).count();
}

double Fleet::wanted(const std::string& vm, Timestamp at) const {
  return wants_.at(vm)(std::chrono::duration<double>(at - start_).count());
}

bool Fleet::isShort(const std::string& name) const {
  for (const auto& host : hosts_) {
    if (host.name != name) continue;
    double sum = 0;
    for (const auto& vm : host.vms) sum += wanted(vm.name, now_);
    return sum > host.capacity.cpus;
  }
  return false;
}

FleetView Fleet::view(const std::string& self) const {
  FleetView out;
  Scenarios scenarios;
  scenarios.start = now_;
  scenarios.step = forecast_step;
  scenarios.steps = kSteps;
  scenarios.paths = kPaths;
  std::vector<std::string> names;
  for (const auto& host : hosts_) {
    auto seen = host;
    const auto heard = last_heard.find(host.name);
    seen.as_of = heard == last_heard.end() ? now_ : heard->second;
    for (const auto& move : moves_)
      if (move.flight.from == host.uuid || move.flight.to == host.uuid)
        seen.flights.push_back(move.flight);
    seen.reservations = ledgers.at(host.name).entries();
    for (auto& vm : seen.vms) {
      vm.demand_cpus = wanted(vm.name, now_);
      if (unforeseen_.contains(vm.name)) continue;
      scenarios.vms.push_back(vm.uuid);
      names.push_back(vm.name);
    }
    if (host.name == self) out.self = host.uuid;
    out.hosts.push_back(std::move(seen));
  }
  for (std::size_t path = 0; path < kPaths; ++path)
    for (std::size_t at = 0; at < kSteps; ++at)
      for (std::size_t vm = 0; vm < names.size(); ++vm) {
        const double truth =
            wanted(names[vm], now_ + scenarios.step * static_cast<std::int64_t>(at));
        const auto seed = (path * kSteps + at) * 1009 + scenarios.vms[vm].bytes[1];
        scenarios.demand.push_back(static_cast<float>(truth * (1 + 0.03 * noise(seed))));
      }
  if (!names.empty()) out.scenarios.push_back(std::move(scenarios));
  return out;
}

Plan Fleet::think() {
  return decide::plan(states_[""], view(), configuration, rules, now_).plan;
}

Plan Fleet::round(const std::string& self) {
  auto planned = decide::plan(std::move(states_[self]), view(self), configuration, rules, now_);
  states_[self] = std::move(planned.state);
  for (const auto& step : planned.plan.steps)
    if (step.executable) begin(step);
  advance(rules.round);
  return std::move(planned.plan);
}

Plan Fleet::run(Millis time) {
  Plan last;
  for (Millis done{0}; done < time; done += rules.round) last = round();
  return last;
}

HostRoom Fleet::room(const HostState& host) const {
  HostRoom out{host.capacity.cpus, host.capacity.memory_bytes, 0, 0, {}, host.maintenance, false};
  for (const auto& vm : host.vms) {
    out.used_cpus += wanted(vm.name, now_);
    out.used_memory_bytes += vm.memory_bytes;
    out.present.push_back(vm.uuid);
  }
  return out;
}

void Fleet::begin(const PlanStep& step) {
  ordered.push_back(step);
  const auto operation = "op-" + std::to_string(++last_operation_);
  const auto promised = ledgers.at(step.to_name)
                            .request(room(host(step.to_name)),
                                     {operation, step.vm, step.vm_name, step.cpus,
                                      step.memory_bytes, step.cause == StepCause::maintenance},
                                     now_);
  if (!promised) {
    ++refused;
    vm(step.vm_name).moves.push_back({step.from, step.to, now_, now_, MoveOutcome::refused, true});
    return;
  }
  moves_.push_back({{operation, step.vm, step.from, step.to},
                    now_,
                    now_ + step.cost.duration,
                    step.cause == StepCause::contention});
}

void Fleet::advance(Millis time) {
  now_ += time;
  land();
}

void Fleet::abort(const std::string& name) {
  auto& moved = vm(name);
  const auto move = std::ranges::find_if(
      moves_, [&](const Move& candidate) { return candidate.flight.vm == moved.uuid; });
  if (move == moves_.end()) throw std::out_of_range("no move of " + name);
  moved.moves.push_back({move->flight.from, move->flight.to, move->started, now_,
                         MoveOutcome::aborted, move->automatic});
  for (auto& [host, ledger] : ledgers) ledger.release(move->flight.operation);
  moves_.erase(move);
}

void Fleet::land() {
  for (auto move = moves_.begin(); move != moves_.end();) {
    if (move->ends > now_) {
      for (auto& [name, ledger] : ledgers)
        static_cast<void>(ledger.renew(move->flight.operation, now_));
      ++move;
      continue;
    }
    const auto find = [&](const Uuid& uuid) {
      return std::ranges::find(hosts_, uuid, &HostState::uuid);
    };
    auto& from = *find(move->flight.from);
    auto& to = *find(move->flight.to);
    const auto vm = std::ranges::find(from.vms, move->flight.vm, &PlacedVm::uuid);
    vm->moves.push_back(
        {from.uuid, to.uuid, move->started, move->ends, MoveOutcome::done, move->automatic});
    arrivals.push_back({seconds(), vm->name, from.name, to.name});
    to.vms.push_back(*vm);
    from.vms.erase(vm);
    ledgers.at(to.name).release(move->flight.operation);
    move = moves_.erase(move);
  }
}

}  // namespace virtseer::sim
