#include "daemon/fleet_view.h"

#include <algorithm>
#include <unordered_map>

namespace virtseer::daemon {
namespace {

constexpr std::size_t kMostMoves = 32;

PlacedVm unknownYet(const Vm& vm) {
  PlacedVm out;
  out.uuid = vm.uuid;
  out.unmovable = {"its definition is not known yet"};
  return out;
}

/// A host that has never told its UUID needs one all the same, the same each time.
Uuid standIn(const std::string& name) {
  Uuid out;
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  for (std::size_t i = 0; i < 8; ++i) out.bytes[8 + i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return out;
}

HostState peerState(fleet::PeerState& peer) {
  HostState out;
  if (peer.state) {
    out = std::move(peer.state->host);
  } else {
    out.uuid = peer.host.value_or(standIn(peer.name));
    out.name = peer.name;
  }
  out.answers = peer.answers && peer.state.has_value();
  return out;
}

}  // namespace

bool lacksVm(const OwnFacts& facts, const std::vector<Vm>& vms) {
  return std::ranges::any_of(vms, [&](const Vm& vm) {
    return occupies(vm.state) && std::ranges::none_of(facts.vms, [&](const PlacedVm& placed) {
             return placed.uuid == vm.uuid;
           });
  });
}

HostState ownState(const OwnFacts& facts, OwnNow own) {
  HostState out = facts.host;
  out.uuid = own.host.uuid;
  out.name = own.host.name;
  out.capacity = own.host.capacity;
  out.cpus_online = own.host.cpus_online;
  out.maintenance = own.maintenance;
  out.answers = true;
  out.as_of = own.now - facts.asked <= kFactsLast ? own.now : facts.asked;
  out.flights = std::move(own.flights);
  out.reservations = std::move(own.reservations);
  std::unordered_map<Uuid, const PlacedVm*> placed;
  for (const auto& vm : facts.vms) placed.try_emplace(vm.uuid, &vm);
  out.vms.clear();
  for (const auto& vm : own.vms) {
    if (!occupies(vm.state)) continue;
    const auto known = placed.find(vm.uuid);
    PlacedVm one = known == placed.end() ? unknownYet(vm) : *known->second;
    one.name = vm.name;
    one.role = vm.role;
    one.state = vm.state;
    if (vm.vcpus) one.vcpus = *vm.vcpus;
    if (one.memory_bytes == 0) one.memory_bytes = vm.memory_bytes.value_or(0);
    one.demand_cpus = own.demand(vm.uuid).value_or(0);
    if (own.dirty_rate) one.dirty_bytes_per_s = own.dirty_rate(vm.uuid);
    one.moves = own.moves(vm.uuid);
    if (one.moves.size() > kMostMoves)
      one.moves.erase(one.moves.begin(), one.moves.end() - static_cast<std::ptrdiff_t>(kMostMoves));
    out.vms.push_back(std::move(one));
  }
  return out;
}

FleetView fleetView(HostState own, Scenarios scenarios, std::vector<fleet::PeerState> peers) {
  FleetView out;
  out.self = own.uuid;
  out.hosts.push_back(std::move(own));
  out.scenarios.push_back(std::move(scenarios));
  for (auto& peer : peers) {
    Scenarios theirs;
    if (peer.state) theirs = std::move(peer.state->scenarios);
    out.hosts.push_back(peerState(peer));
    out.scenarios.push_back(std::move(theirs));
  }
  return out;
}

}  // namespace virtseer::daemon
