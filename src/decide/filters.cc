#include "decide/filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/text.h"
#include "decide/cooldown.h"
#include "decide/cost.h"
#include "decide/words.h"

namespace virtseer::decide {
namespace {

using Excluded = std::vector<Exclusion>;

/// The first few features of `needed` that `had` lacks; both sorted. Empty: none lacks.
std::string lacking(const std::vector<std::string>& needed, const std::vector<std::string>& had) {
  static constexpr std::size_t kShown = 3;
  std::string out;
  std::size_t count = 0;
  auto at = had.begin();
  for (const auto& feature : needed) {
    at = std::lower_bound(at, had.end(), feature);
    if (at != had.end() && *at == feature) continue;
    if (++count <= kShown) out += (out.empty() ? "" : ", ") + label(feature);
  }
  if (count > kShown) out += fmt::format(" and {} more", count - kShown);
  return out;
}

void checkCpu(const PlacedVm& vm, const HostState& from, const HostState& to, Excluded& out) {
  const bool described = !from.cpu.features.empty() && !to.cpu.features.empty();
  if (!described) {
    if (from.cpu.model != to.cpu.model && !from.cpu.model.empty() && !to.cpu.model.empty() &&
        vm.cpu_mode != CpuMode::custom)
      out.push_back({Refusal::cpu,
                     fmt::format("it is unknown whether CPU {} can run what {} runs",
                                 label(to.cpu.model), label(from.cpu.model)),
                     ""});
    return;
  }
  if (const auto lack = lacking(vm.cpu.features, to.cpu.features); !lack.empty())
    out.push_back({Refusal::cpu, fmt::format("its CPU {} lacks {}", label(to.cpu.model), lack),
                   "the VM used a CPU model that both hosts have"});
  if (vm.cpu_mode == CpuMode::custom) return;
  if (vm.cpu_mode == CpuMode::host_passthrough && from.cpu.model != to.cpu.model)
    out.push_back({Refusal::cpu,
                   fmt::format("the VM sees the host's own CPU ({}), and this one has {}",
                               label(from.cpu.model), label(to.cpu.model)),
                   "the VM used a CPU model that both hosts have"});
  if (const auto lack = lacking(to.cpu.features, from.cpu.features); !lack.empty())
    out.push_back(
        {Refusal::cpu_way_back,
         fmt::format("no way back: once restarted there the VM would use {}, which {} lacks", lack,
                     label(from.name)),
         "the VM used a CPU model that both hosts have"});
}

/// Bytes to copy, or why the disks cannot be had there.
std::uint64_t checkStorage(const PlacedVm& vm, const HostState& to, const Policy& policy,
                           bool& shared_disks, Excluded& out) {
  std::uint64_t copied = 0;
  std::string first;
  for (const auto& disk : vm.disks) {
    const bool reached = std::ranges::any_of(to.storage, [&](const StorageReach& storage) {
      return storage.shared && storage.id == disk.storage;
    });
    shared_disks = shared_disks || reached;
    if (reached) continue;
    copied += disk.bytes;
    if (first.empty()) first = disk.storage.empty() ? "its own" : disk.storage;
  }
  if (first.empty()) return 0;
  std::uint64_t space = 0;
  for (const auto& storage : to.storage) space = std::max(space, storage.free_bytes);
  if (!policy.copy_storage)
    out.push_back({Refusal::storage,
                   fmt::format("does not reach storage {}, and policy does not allow disks to be "
                               "copied",
                               label(first)),
                   copied > 0 ? fmt::format("copy_storage were allowed ({} to copy)", size(copied))
                              : std::string("copy_storage were allowed (how much there is to copy "
                                            "is not known)")});
  else if (copied > space)
    out.push_back({Refusal::storage,
                   fmt::format("{} of disks to copy, {} free", size(copied), size(space)),
                   fmt::format("it had {} more free space", size(copied - space))});
  return copied;
}

void checkRoom(const PlacedVm& vm, const HostState& to, std::uint64_t free_memory, Excluded& out) {
  if (vm.memory_bytes > free_memory)
    out.push_back(
        {Refusal::memory,
         fmt::format("{} of memory needed, {} of {} free with reservations and moves in "
                     "flight taken off",
                     size(vm.memory_bytes), size(free_memory), size(to.capacity.memory_bytes)),
         fmt::format("it had {} more free memory", size(vm.memory_bytes - free_memory))});
  if (to.cpus_online > 0 && vm.vcpus > to.cpus_online)
    out.push_back({Refusal::vcpus,
                   fmt::format("has {} CPUs, the VM {} vCPUs", to.cpus_online, vm.vcpus), ""});
}

void checkReach(const PlacedVm& vm, const HostState& to, Excluded& out) {
  if (!vm.machine.empty() && !to.machine_types.empty() &&
      !std::ranges::binary_search(to.machine_types, vm.machine))
    out.push_back({Refusal::machine_type,
                   fmt::format("does not know machine type {}", label(vm.machine)), ""});
  for (const auto& network : vm.networks)
    if (std::ranges::find(to.networks, network) == to.networks.end())
      out.push_back({Refusal::network, fmt::format("has no network {}", label(network)),
                     fmt::format("it had network {}", label(network))});
}

std::optional<Exclusion> statePreventsMove(const PlacedVm& vm) {
  if (vm.state != VmState::running && vm.state != VmState::blocked)
    return Exclusion{Refusal::not_running, fmt::format("is {}", name(vm.state)), ""};
  if (vm.role == Role::shadow)
    return Exclusion{Refusal::shadow, "is a shadow: it lives and dies where it is", ""};
  if (!vm.managed_by.empty())
    return Exclusion{Refusal::managed, fmt::format("is managed by {}", label(vm.managed_by)), ""};
  if (!vm.job.empty())
    return Exclusion{Refusal::job, fmt::format("a {} job runs on it", label(vm.job)),
                     fmt::format("its {} job were over", label(vm.job)), true};
  return std::nullopt;
}

}  // namespace

std::vector<Exclusion> checkInformation(const HostState& host, const PlannerRules& rules,
                                        Timestamp now) {
  const auto age = now - host.as_of;
  if (!host.answers && host.as_of == Timestamp{})
    return {{Refusal::silent, "its daemon was not heard since this one started",
             "its daemon answered"}};
  if (!host.answers)
    return {{Refusal::silent,
             fmt::format("its daemon does not answer, last heard of {} ago",
                         span(std::max(Millis(0), age))),
             "its daemon answered"}};
  Excluded out;
  if (age > rules.stale_after)
    out.push_back({Refusal::stale,
                   fmt::format("what is known of it is {} old, {} is allowed", span(age),
                               span(rules.stale_after)),
                   "it sent its state"});
  else if (-age > rules.stale_after)
    out.push_back(
        {Refusal::stale, fmt::format("its clock is {} ahead", span(-age)), "the clocks agreed"});
  if (!std::isfinite(host.capacity.cpus) || host.capacity.cpus <= 0 ||
      host.capacity.memory_bytes == 0)
    out.push_back({Refusal::nonsense,
                   fmt::format("reports a capacity of {} and {} of memory",
                               cores(host.capacity.cpus), size(host.capacity.memory_bytes)),
                   ""});
  return out;
}

std::vector<Exclusion> checkVm(const PlacedVm& vm, const Policy& policy, StepCause cause,
                               const PlannerRules& rules, Timestamp now) {
  Excluded out;
  if (auto state = statePreventsMove(vm)) out.push_back(std::move(*state));
  for (const auto& device : vm.unmovable)
    out.push_back({Refusal::device, fmt::format("is tied to this host: {}", label(device)), ""});
  if (policy.excluded)
    out.push_back(
        {Refusal::policy, "is excluded by its policy", "its policy did not exclude it", true});
  else if (!policy.migrate)
    out.push_back(
        {Refusal::policy, "its policy does not allow migration", "its policy allowed migration"});
  if (auto stays = aborted(vm, rules, now)) out.push_back(std::move(*stays));
  if (cause == StepCause::contention)
    if (auto rest = cooling(vm, rules, now)) out.push_back(std::move(*rest));
  return out;
}

TargetCheck checkTarget(const PlacedVm& vm, const HostState& from, const HostState& to,
                        std::uint64_t free_memory, const Policy& policy, const PlannerRules& rules,
                        Timestamp now) {
  TargetCheck out;
  auto& excluded = out.excluded;
  if (from.uuid == to.uuid) excluded.push_back({Refusal::same_host, "the VM is there", ""});
  for (auto& fault : checkInformation(to, rules, now)) excluded.push_back(std::move(fault));
  if (!to.answers) return out;
  if (to.maintenance)
    excluded.push_back({Refusal::maintenance, "is in maintenance", "its maintenance were over"});
  checkRoom(vm, to, free_memory, excluded);
  checkCpu(vm, from, to, excluded);
  checkReach(vm, to, excluded);
  const auto copied = checkStorage(vm, to, policy, out.shared_disks, excluded);
  out.cost = moveCost(vm, from, to, copied, rules);
  if (!out.cost.converges)
    excluded.push_back(
        {Refusal::no_convergence,
         fmt::format("the VM writes {} of memory a second, the link carries {}",
                     size(static_cast<std::uint64_t>(std::min(*vm.dirty_bytes_per_s, 9e18))),
                     size(static_cast<std::uint64_t>(
                         std::min(from.link_bytes_per_s.value_or(rules.link_bytes_per_s),
                                  to.link_bytes_per_s.value_or(rules.link_bytes_per_s))))),
         "it wrote less or the link were faster", true});
  if (auto left = leftRecently(vm, to, rules, now)) excluded.push_back(std::move(*left));
  return out;
}

}  // namespace virtseer::decide
