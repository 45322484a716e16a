#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "cli/body.h"
#include "cli/columns.h"

namespace virtseer::cli {

// As tables.h: text for a person out of the body of an answer on operations.

Result<std::string> operationsTable(std::string_view operations, Timestamp now,
                                    std::size_t room = kNoLimit);
Result<std::string> operationText(std::string_view operation, Timestamp now,
                                  std::size_t room = kNoLimit);
/// What POST migrate answered: that it began, with how to go on, or what a dry run met.
Result<std::string> migrateText(std::string_view answer, std::size_t room = kNoLimit);
/// False for a dry run whose move does not fit.
bool migrateFits(std::string_view answer);
Result<std::string> abortText(std::string_view operation, bool fenced);

/// "[#####     ] 50 %, 1.0 GiB of 2.0 GiB, 100 MiB/s, 10 s" of an operation's progress.
std::string progressText(const Json& operation);

}  // namespace virtseer::cli
