#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "decide/rules.h"
#include "model/host_state.h"
#include "model/plan.h"

namespace virtseer::decide::test {

constexpr std::uint64_t kGiB = 1ULL << 30;
inline const Timestamp kNow{std::chrono::hours(500'000)};

inline Uuid uuid(std::uint8_t kind, std::uint32_t number) {
  Uuid out;
  out.bytes = {kind, static_cast<std::uint8_t>(number >> 16),
               static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
  return out;
}

/// A host that any plain VM fits on.
inline HostState plainHost(std::uint32_t number, double cpus = 4,
                           std::uint64_t memory = 64 * kGiB) {
  HostState out;
  out.uuid = uuid(0xA0, number);
  out.name = "h" + std::to_string(number);
  out.capacity = {cpus, memory, "configuration"};
  out.cpus_online = 8;
  out.as_of = kNow;
  out.cpu = {"EPYC", {"aes", "avx2"}};
  out.machine_types = {"pc-i440fx-7.2", "pc-q35-7.2"};
  out.storage = {{"nfs", true, 100 * kGiB}, {"local", false, 50 * kGiB}};
  out.networks = {"default"};
  return out;
}

inline PlacedVm plainVm(std::uint32_t number, std::uint64_t memory = 2 * kGiB) {
  PlacedVm out;
  out.uuid = uuid(0xB0, number);
  out.name = "vm" + std::to_string(number);
  out.vcpus = 2;
  out.memory_bytes = memory;
  out.dirty_bytes_per_s = 0;
  out.cpu = {"EPYC", {"aes", "avx2"}};
  out.machine = "pc-q35-7.2";
  out.disks = {{"nfs", 10 * kGiB}};
  out.networks = {"default"};
  return out;
}

/// Scenarios of these VMs, begun at kNow; `wanted(path, step, vm)`.
inline Scenarios scenarios(
    std::vector<Uuid> vms, std::size_t paths, std::size_t steps,
    const std::function<double(std::size_t, std::size_t, std::size_t)>& wanted) {
  Scenarios out{kNow, Millis(1000), steps, paths, std::move(vms), {}};
  for (std::size_t path = 0; path < paths; ++path)
    for (std::size_t step = 0; step < steps; ++step)
      for (std::size_t vm = 0; vm < out.vms.size(); ++vm)
        out.demand.push_back(static_cast<float>(wanted(path, step, vm)));
  return out;
}

/// True if something was excluded or rejected for this.
template <class List>
bool names(const List& list, Refusal why) {
  return std::ranges::any_of(list, [&](const auto& entry) { return entry.why == why; });
}

}  // namespace virtseer::decide::test
