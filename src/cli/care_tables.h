#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/columns.h"

namespace virtseer::cli {

// As tables.h: text for a person out of the body of an answer on what keeps VMs from being seen.

/// What POST enroll answered: what was done, or what a dry run met.
Result<std::string> enrollText(std::string_view report, std::size_t room = kNoLimit);
/// False for a dry run that does not fit.
bool enrollFits(std::string_view report);
/// Where the guest's token is kept; empty: it needs none.
std::string tokenFileOf(std::string_view report);
Result<std::string> doctorText(std::string_view doctor);
/// Whether something was found that is an error, or with `strict` a warning or an error.
bool doctorAlarms(std::string_view doctor, bool strict);

}  // namespace virtseer::cli
