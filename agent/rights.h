#pragma once

#include <string>
#include <string_view>

namespace virtseer::agent {

/// Which of the capabilities that sources profit from a process lacks, by its /proc/PID/status:
/// each with what it is for; empty: none, or it is not said.
std::string missingRights(std::string_view status);

}  // namespace virtseer::agent
