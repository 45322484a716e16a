#pragma once

#include <string>
#include <string_view>

namespace virtseer::agent {

/// What a process belongs to.
struct UnitName {
  enum class Kind { none, service, container };

  Kind kind = Kind::none;
  std::string name;  ///< "nginx.service", "docker-0123456789ab"; not cleaned

  bool operator==(const UnitName&) const = default;
};

/// Reads a process's control groups (/proc/PID/cgroup, cgroups(7)): systemd's own hierarchy first,
/// then the unified one, then any other. A container beats the units inside of it, a unit's own
/// subgroups are the unit, slices are none.
UnitName unitOf(std::string_view cgroup_text);

}  // namespace virtseer::agent
