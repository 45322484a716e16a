#pragma once

#include "wire/members_operation.h"

/// As members_operation.h, for what daemons tell each other of their hosts.
namespace virtseer::wire {

template <class Io>
void members(Io& io, Is<CpuDescription> auto& cpu) {
  io("model", cpu.model);
  io("features", cpu.features);
}

template <class Io>
void members(Io& io, Is<DiskNeed> auto& disk) {
  io("storage", disk.storage);
  io("bytes", disk.bytes);
}

template <class Io>
void members(Io& io, Is<StorageReach> auto& storage) {
  io("id", storage.id);
  io("shared", storage.shared);
  io("free_bytes", storage.free_bytes);
}

template <class Io>
void members(Io& io, Is<PolicyOverrides> auto& set) {
  io("mode", set.mode);
  io("excluded", set.excluded);
  io("priority", set.priority);
  io("migrate", set.migrate);
  io("copy_storage", set.copy_storage);
  io("return_trip", set.return_trip);
  io("unlocked_disks", set.unlocked_disks);
}

template <class Io>
void members(Io& io, Is<PolicyMetadata> auto& metadata) {
  io("set", metadata.set);
  io("fault", metadata.fault);
}

template <class Io>
void members(Io& io, Is<PlacedVm> auto& vm) {
  io("uuid", vm.uuid);
  io("name", vm.name);
  io("role", vm.role);
  io("state", vm.state);
  io("demand_cpus", vm.demand_cpus);
  io("vcpus", vm.vcpus);
  io("memory_bytes", vm.memory_bytes);
  io("dirty_bytes_per_s", vm.dirty_bytes_per_s);
  io("cpu_mode", vm.cpu_mode);
  io("cpu", vm.cpu);
  io("machine", vm.machine);
  io("disks", vm.disks);
  io("networks", vm.networks);
  io("unmovable", vm.unmovable);
  io("job", vm.job);
  io("managed_by", vm.managed_by);
  io("metadata", vm.metadata);
  io("moves", vm.moves);
}

template <class Io>
void members(Io& io, Is<Flight> auto& flight) {
  io("operation", flight.operation);
  io("vm", flight.vm);
  io.orNull("from", flight.from);
  io.orNull("to", flight.to);
}

template <class Io>
void members(Io& io, Is<HostCapacity> auto& capacity) {
  io("cpus", capacity.cpus);
  io("memory_bytes", capacity.memory_bytes);
  io("origin", capacity.origin);
}

template <class Io>
void members(Io& io, Is<HostState> auto& host) {
  io("uuid", host.uuid);
  io("name", host.name);
  io("capacity", host.capacity);
  io("cpus_online", host.cpus_online);
  io("memory_given_bytes", host.memory_given);
  io("maintenance", host.maintenance);
  io("answers", host.answers);
  io("as_of", host.as_of);
  io("cpu", host.cpu);
  io("machine_types", host.machine_types);
  io("storage", host.storage);
  io("networks", host.networks);
  io("disk_locks", host.disk_locks);
  io("link_bytes_per_s", host.link_bytes_per_s);
  io("flights", host.flights);
  io("reservations", host.reservations);
  io("vms", host.vms);
}

template <class Io>
void members(Io& io, Is<FleetState> auto& state) {
  io("now", state.now);
  io("host", state.host);
  io("scenarios", state.scenarios);
}

}  // namespace virtseer::wire
