#pragma once

#include <cstdint>
#include <string_view>

namespace virtseer::agent {

/// The name by which the service of a TCP port is known (IANA's registry, and what is usual where
/// it is silent); empty where none is.
std::string_view serviceName(std::uint16_t port);

}  // namespace virtseer::agent
