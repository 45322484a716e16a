#pragma once

#include <chrono>
#include <cstdint>

#include "platform/environment.h"
#include "platform/libvirt/connection.h"

namespace virtseer::platform {

/// What a libvirt error number of an agent's command speaks of.
enum class AgentError : std::uint8_t {
  silent,     ///< the guest does not answer
  not_asked,  ///< the question did not get to the guest
  command,    ///< the one command: the next may be answered
};
AgentError agentError(int libvirt_code);

/// Asks the qemu-guest-agent; see Environment::guestFacts(). Each of its commands may take
/// `within`, and libvirt's own handshake before it 5 s. Blocks for 20 s at most, unless libvirt
/// itself hangs.
Result<GuestAnswer> guestFactsOf(const Connection& connection, const Uuid& vm,
                                 std::chrono::seconds within);

/// See Environment. Blocks.
Result<void> beginDirtyRate(const Connection& connection, const Uuid& vm,
                            std::chrono::seconds span);
Result<std::optional<double>> dirtyRateOf(const Connection& connection, const Uuid& vm);

}  // namespace virtseer::platform
