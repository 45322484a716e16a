#pragma once

#include <span>
#include <string_view>

#include "model/machine.h"
#include "platform/libvirt/connection.h"
#include "platform/libvirt/translate.h"

namespace virtseer::platform {

/// Takes what fields of virDomainGetGuestInfo() say ("os.pretty-name", "fs.0.mountpoint"), bounded
/// and clean. What is not understood is left out.
void takeGuestFields(std::span<const Field> fields, GuestFacts& into);

/// How many numbers a list such as "0-3,5" names; nullopt if it is none, or too long.
std::optional<std::uint32_t> countOfList(std::string_view list);

/// Asks the qemu-guest-agent; see Environment::guestFacts(). Each of its commands may take
/// `within`. Blocks for a few times that at most.
Result<GuestFacts> guestFactsOf(const Connection& connection, const Uuid& vm,
                                std::chrono::seconds within);

/// See Environment. Blocks.
Result<void> beginDirtyRate(const Connection& connection, const Uuid& vm,
                            std::chrono::seconds span);
Result<std::optional<double>> dirtyRateOf(const Connection& connection, const Uuid& vm);

}  // namespace virtseer::platform
