#pragma once

#include <chrono>

#include "model/machine.h"
#include "platform/libvirt/connection.h"

namespace virtseer::platform {

/// Asks the qemu-guest-agent; see Environment::guestFacts(). Each of its commands may take
/// `within`, and libvirt's own handshake before it 5 s. Blocks for 20 s at most, unless libvirt
/// itself hangs.
Result<GuestFacts> guestFactsOf(const Connection& connection, const Uuid& vm,
                                std::chrono::seconds within);

/// See Environment. Blocks.
Result<void> beginDirtyRate(const Connection& connection, const Uuid& vm,
                            std::chrono::seconds span);
Result<std::optional<double>> dirtyRateOf(const Connection& connection, const Uuid& vm);

}  // namespace virtseer::platform
