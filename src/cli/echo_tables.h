#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "cli/columns.h"

namespace virtseer::cli {

// As tables.h: text for a person out of the body of an answer on what a guest tells.

/// Everything that a guest told last: its values by what they are about, its tables, what happened.
Result<std::string> echoText(std::string_view echo, Timestamp now, std::size_t room = kNoLimit);
/// One table.
Result<std::string> guestTableText(std::string_view table, Timestamp now,
                                   std::size_t room = kNoLimit);
/// How often and what an agent is told to collect, and by whom.
Result<std::string> collectionText(std::string_view collection);

}  // namespace virtseer::cli
