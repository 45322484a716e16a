#include "daemon/peer_view.h"

namespace virtseer::daemon {

api::HostView peerView(const fleet::PeerState& peer) {
  api::HostView out;
  out.peer = peer.name;
  out.answers = peer.answers;
  out.heard = peer.heard;
  out.error = peer.error;
  out.host.name = peer.name;
  out.host.uuid = peer.host.value_or(Uuid());
  if (!peer.state) return out;
  const HostState& told = peer.state->host;
  out.maintenance = told.maintenance;
  out.host.uuid = told.uuid;
  out.host.name = told.name;
  out.host.cpu_model = told.cpu.model;
  out.host.cpus_online = told.cpus_online;
  out.host.capacity = told.capacity;
  double wanted = 0;
  for (const PlacedVm& vm : told.vms) wanted += vm.demand_cpus;
  out.usage.vms_cpu_cores = wanted;
  out.usage.vms_running = static_cast<std::uint32_t>(told.vms.size());
  return out;
}

}  // namespace virtseer::daemon
