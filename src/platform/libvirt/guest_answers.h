#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/machine.h"

namespace virtseer::platform {

/// What a qemu-guest-agent is asked (QEMU, qga/qapi-schema.json). An older one does not know them
/// all.
enum class GuestQuestion : std::uint8_t {
  time,
  system,
  hostname,
  filesystems,
  disks,
  vcpus,
  load,
};
inline constexpr std::array kGuestQuestions{
    GuestQuestion::time,        GuestQuestion::system, GuestQuestion::hostname,
    GuestQuestion::filesystems, GuestQuestion::disks,  GuestQuestion::vcpus,
    GuestQuestion::load,
};

/// The question as the agent's protocol has it: {"execute":"guest-get-osinfo"}.
const char* commandOf(GuestQuestion question);

/// Takes what an answer says into `into`, bounded and clean, whatever the guest sent: JSON that is
/// too large, too deep or of another shape is left out. False if nothing of it was understood. The
/// time is for guestTime().
bool takeGuestAnswer(GuestQuestion question, std::string_view answer, GuestFacts& into);

/// The guest's clock since 1970, from the answer to GuestQuestion::time.
std::optional<std::chrono::nanoseconds> guestTime(std::string_view answer);

}  // namespace virtseer::platform
