#pragma once

#include <string>
#include <vector>

#include "model/doctor.h"

namespace virtseer::decide {

/// What blinds virtseer on this host: the worst first, the host's before its VMs', then by kind and
/// name. VMs that are off are not looked at. The same values give the same findings.
std::vector<Finding> diagnose(const CheckUp& up);

/// "alpha and beta".
std::string hostsText(const Duplicate& duplicate);

// Its two halves, in no order.
void diagnoseHost(const CheckUp& up, std::vector<Finding>& out);
void diagnoseVm(const CheckUp& up, const CheckedVm& vm, std::vector<Finding>& out);

}  // namespace virtseer::decide
