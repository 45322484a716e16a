#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "cli/columns.h"

namespace virtseer::cli {

// Each makes text for a person out of the body of a REST answer. Pure. What is null or absent is
// shown as
// "-", control characters are escaped. Fails with Code::corrupt if the body is not what it should
// be. `room`: the columns of the terminal.

Result<std::string> statusText(std::string_view health, Timestamp now);
Result<std::string> hostsTable(std::string_view hosts, Timestamp now, std::size_t room = kNoLimit);
Result<std::string> vmsTable(std::string_view vms, std::size_t room = kNoLimit);
Result<std::string> vmText(std::string_view vm, Timestamp now);
Result<std::string> seriesNamesTable(std::string_view names, std::size_t room = kNoLimit);
Result<std::string> seriesTable(std::string_view series);
/// The newest last.
Result<std::string> eventsTable(std::string_view events, std::size_t room = kNoLimit);
/// `duration` zero: it was told to stop.
Result<std::string> loadText(std::string_view accepted, std::string_view vm, Millis duration);

}  // namespace virtseer::cli
