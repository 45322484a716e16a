#include "daemon/inventory.h"

#include <fmt/format.h>

#include "base/text.h"

namespace virtseer::daemon {
namespace {

constexpr char kPrefix[] = "vm/";

/// A setting holds `environment NUL name`: neither can contain a NUL.
std::string encode(const std::string& environment, const std::string& name) {
  return environment + '\0' + name;
}

}  // namespace

void Inventory::setVms(const std::string& environment, std::vector<Vm> vms) {
  std::erase_if(present_,
                [&](const auto& entry) { return entry.second.environment == environment; });
  for (auto& vm : vms) {
    note(vm);
    present_[vm.uuid] = std::move(vm);
  }
}

void Inventory::note(const Vm& vm) {
  auto& known = remembered_[vm.uuid];
  const Remembered now{vm.name, vm.environment};
  if (known == now) return;
  known = now;
  if (settings_) settings_->put(kPrefix + vm.uuid.text(), encode(now.environment, now.name));
}

void Inventory::remember(store::Settings& settings) {
  settings_ = &settings;
  for (const auto& [key, value] : settings.list(kPrefix)) {
    const auto uuid = Uuid::parse(std::string_view(key).substr(sizeof kPrefix - 1));
    const auto split = value.find('\0');
    if (uuid && split != std::string::npos)
      remembered_.try_emplace(*uuid, Remembered{value.substr(split + 1), value.substr(0, split)});
  }
  for (const auto& [uuid, known] : remembered_)
    settings.put(kPrefix + uuid.text(), encode(known.environment, known.name));
}

std::vector<Vm> Inventory::gone() const {
  std::vector<Vm> out;
  for (const auto& [uuid, known] : remembered_) {
    if (present_.contains(uuid)) continue;
    Vm vm;
    vm.uuid = uuid;
    vm.name = known.name;
    vm.environment = known.environment;
    out.push_back(std::move(vm));
  }
  return out;
}

Result<Vm> Inventory::find(const std::string& vm) const {
  if (const auto uuid = Uuid::parse(vm)) {
    if (const auto found = present_.find(*uuid); found != present_.end()) return found->second;
    for (auto& known : gone())
      if (known.uuid == *uuid) return known;
  }
  const auto choose = [&](const auto& candidates) -> Result<Vm> {
    const Vm* chosen = nullptr;
    for (const Vm& candidate : candidates) {
      if (candidate.name != vm) continue;
      if (chosen)
        return fail(Code::invalid, fmt::format("two VMs are named {}: say {} or {}", printable(vm),
                                               chosen->uuid.text(), candidate.uuid.text()));
      chosen = &candidate;
    }
    if (!chosen)
      return fail(Code::not_found,
                  fmt::format("no VM is named {}: 'virtseer vms --gone' lists all that are known",
                              printable(vm)));
    return *chosen;
  };
  std::vector<Vm> here;
  for (const auto& [uuid, candidate] : present_) here.push_back(candidate);
  if (auto found = choose(here); found || found.error().code == Code::invalid) return found;
  return choose(gone());
}

Result<Uuid> Inventory::entity(const std::string& name) const {
  if (!host_.uuid.isNil() && (name == host_.name || Uuid::parse(name) == host_.uuid))
    return host_.uuid;
  const auto vm = find(name);
  if (!vm) return fail(vm.error());
  return vm->uuid;
}

std::string Inventory::nameOf(Uuid entity) const {
  if (entity == host_.uuid) return host_.name;
  if (const auto vm = present_.find(entity); vm != present_.end()) return vm->second.name;
  if (const auto vm = remembered_.find(entity); vm != remembered_.end()) return vm->second.name;
  return {};
}

}  // namespace virtseer::daemon
