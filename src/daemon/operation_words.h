#pragma once

#include <string>
#include <vector>

#include "model/operation.h"

namespace virtseer::daemon {

/// An operation for a person, line by line: whose idea, why, each step with its time, what it took,
/// and how the VM does since.
std::vector<std::string> explainOperation(const Operation& operation);

}  // namespace virtseer::daemon
