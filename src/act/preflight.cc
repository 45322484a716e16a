#include "act/preflight.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "decide/policy.h"

namespace virtseer::act {
namespace {

using State = Presence::State;

Check destination(const DepartureFacts& facts) {
  const auto to = printable(facts.to_name);
  if (!facts.to)
    return {"destination", false, fmt::format("the daemon of {} was not heard yet", to)};
  if (*facts.to == facts.self)
    return {"destination", false, fmt::format("{} is this host: the VM is here already", to)};
  return {"destination", true, fmt::format("{} is another host", to)};
}

Check state(const DepartureFacts& facts) {
  const auto& here = facts.presence;
  if (here.state != State::running)
    return {"state", false,
            fmt::format("it is {}: only a VM that runs is moved live", name(here.state))};
  if (facts.placed && facts.placed->role == Role::shadow)
    return {"state", false, "it is a shadow, which stays where it is"};
  return {"state", true, "it runs"};
}

Check policy(const DepartureFacts& facts) {
  const auto& policy = facts.policy;
  const auto copies = facts.copy_storage.value_or(false);
  if (facts.origin == OperationOrigin::returning) {
    if (!policy.return_trip) return {"policy", false, "its policy forbids the way back"};
    return {"policy", true, "its policy allows the way back"};
  }
  if (!policy.migrate)
    return {"policy", false,
            "its policy forbids live migration: 'virtseer policy show' tells where that is said"};
  if (facts.origin == OperationOrigin::person)
    return {"policy", true, "its policy allows live migration"};
  if (policy.excluded) return {"policy", false, "its policy keeps it from being moved"};
  if (policy.mode != Mode::automatic)
    return {"policy", false,
            fmt::format("its mode is {}: virtseer does not move it by itself", name(policy.mode))};
  if (copies && !policy.copy_storage)
    return {"policy", false, "its policy forbids a move that copies disks"};
  return {"policy", true, "its policy lets virtseer move it"};
}

Check jobs(const DepartureFacts& facts) {
  if (facts.presence.job != Presence::Job::none)
    return {"job", false, fmt::format("a job runs on it: {}", name(facts.presence.job))};
  if (facts.placed && !facts.placed->job.empty())
    return {"job", false, "a job runs on it: " + printable(facts.placed->job)};
  return {"job", true, "no job runs on it"};
}

Check devices(const DepartureFacts& facts) {
  if (!facts.placed) return {"devices", false, "libvirt does not list it as active"};
  std::vector<std::string> fixed;
  for (const auto& device : facts.placed->unmovable) fixed.push_back(printable(device));
  if (!fixed.empty())
    return {"devices", false, fmt::format("bound to this host: {}", fmt::join(fixed, ", "))};
  return {"devices", true, "nothing binds it to this host"};
}

/// Another balancer's VM is left to that balancer; a person may know better.
std::optional<Check> managed(const DepartureFacts& facts) {
  if (!facts.placed || facts.placed->managed_by.empty()) return std::nullopt;
  return Check{"managed", facts.origin != OperationOrigin::plan,
               "it belongs to " + printable(facts.placed->managed_by)};
}

struct DiskKinds {
  std::size_t shared = 0;
  std::size_t local = 0;
};

bool onShared(const DepartureFacts& facts, const DiskNeed& disk) {
  const auto reach = std::ranges::find(facts.storage, disk.storage, &StorageReach::id);
  return reach != facts.storage.end() && reach->shared;
}

DiskKinds disks(const DepartureFacts& facts) {
  DiskKinds kinds;
  if (!facts.placed) return kinds;
  for (const auto& disk : facts.placed->disks)
    ++(onShared(facts, disk) ? kinds.shared : kinds.local);
  return kinds;
}

/// What the destination must reach as the same storage. An image file that only this host sees is
/// not among them: the destination looks for it itself, and takes only a medium that is read. A
/// block device is: one of the same path proves nothing.
std::vector<std::string> storageThere(const DepartureFacts& facts, bool copy) {
  std::vector<std::string> out;
  if (!facts.placed) return out;
  for (const auto& disk : facts.placed->disks) {
    const bool device = !copy && disk.storage.starts_with("block:");
    if (!device && !onShared(facts, disk)) continue;
    if (std::ranges::find(out, disk.storage) == out.end()) out.push_back(disk.storage);
  }
  return out;
}

/// What virtseer does by itself with disks that both hosts can write asks for a guard over them.
std::optional<Check> locks(const DepartureFacts& facts, const DiskKinds& kinds) {
  if (kinds.shared == 0 || facts.origin == OperationOrigin::person) return std::nullopt;
  if (facts.disk_locks) return Check{"locks", true, "a lock manager guards its disks here"};
  if (facts.policy.unlocked_disks)
    return Check{"locks", true, "its policy waives a lock manager for its shared disks"};
  return Check{"locks", false,
               "its disks are shared and no lock manager guards them here: set one up, or let its "
               "policy waive it (unlocked_disks)"};
}

Check storage(const DepartureFacts& facts, const DiskKinds& kinds, bool copy) {
  if (copy && facts.definition.inactive.empty())
    return {"storage", false,
            "it is transient: its disks are not copied, since nothing would "
            "remember them if the move failed"};
  if (copy) return {"storage", true, fmt::format("{} disks are copied", kinds.local)};
  if (facts.copy_storage.value_or(false))
    return {"storage", true, "every disk is on shared storage: nothing is copied"};
  return {"storage", true, "no disk is copied"};
}

}  // namespace

Policy lowered(const Policy& policy, const std::optional<PolicyMetadata>& metadata) {
  PolicyConfiguration given;
  given.defaults = {.mode = policy.mode,
                    .excluded = policy.excluded,
                    .priority = policy.priority,
                    .migrate = policy.migrate,
                    .copy_storage = policy.copy_storage,
                    .return_trip = policy.return_trip,
                    .unlocked_disks = policy.unlocked_disks};
  PlacedVm vm;
  vm.metadata = metadata;
  return decide::resolvedPolicy(given, vm);
}

Result<void> granted(OperationOrigin origin, const Policy& policy, bool stopped) {
  if (origin == OperationOrigin::returning) {
    if (!policy.return_trip) return fail(Code::refused, "its policy forbids the way back");
    return {};
  }
  if (!policy.migrate) return fail(Code::refused, "its policy forbids live migration");
  if (origin != OperationOrigin::plan) return {};
  if (stopped)
    return fail(Code::refused, "the global stop holds: virtseer moves nothing by itself");
  if (policy.excluded || policy.mode != Mode::automatic)
    return fail(Code::refused, "its policy does not let virtseer move it by itself");
  return {};
}

Departure preflight(const DepartureFacts& facts) {
  Departure out;
  const auto kinds = disks(facts);
  const bool wanted = facts.copy_storage.value_or(kinds.local > 0 && facts.policy.copy_storage);
  // A shared disk that is copied would be written from both sides.
  out.copy_storage = wanted && !(kinds.local == 0 && kinds.shared > 0);
  if (out.copy_storage) out.disks = facts.definition.local_disks;
  for (const auto& disk : out.disks)
    if (!disk.path.empty()) out.copied_disks.push_back(disk.path);
  out.checks = {destination(facts), state(facts), policy(facts), jobs(facts), devices(facts)};
  if (auto check = managed(facts)) out.checks.push_back(std::move(*check));
  out.checks.push_back(storage(facts, kinds, out.copy_storage));
  if (auto check = locks(facts, kinds)) out.checks.push_back(std::move(*check));
  out.storage = storageThere(facts, out.copy_storage);
  return out;
}

std::string faults(const std::vector<Check>& checks) {
  std::vector<std::string> out;
  for (const auto& check : checks)
    if (!check.held) out.push_back(fmt::format("{}: {}", check.name, check.words));
  return fmt::format("{}", fmt::join(out, "; "));
}

}  // namespace virtseer::act
