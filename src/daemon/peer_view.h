#pragma once

#include "api/backend.h"
#include "fleet/peers.h"

namespace virtseer::daemon {

/// A peer as the API shows it: what its daemon told last, as far as it told; the rest is unknown.
api::HostView peerView(const fleet::PeerState& peer);

}  // namespace virtseer::daemon
