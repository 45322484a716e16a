#pragma once

#include <cstdint>
#include <string>

#include "platform/libvirt/connection.h"

namespace virtseer::platform {

enum class Needs : std::uint8_t {
  any,          ///< what may be needed at any time
  unless_idle,  ///< all of that but a disk of a VM that is off: its name may be taken from it
};

/// Who needs a file, in words ("VM web"): a VM, active or off, whose definition names it anywhere
/// but in its metadata, or a volume of an active pool that is based on it. What cannot be read
/// counts as somebody who does. Paths are compared by what they lead to. Empty: nobody. Blocks.
std::string userOfFile(const Connection& connection, const std::string& path, Needs needs);

}  // namespace virtseer::platform
