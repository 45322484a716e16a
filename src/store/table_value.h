#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "virtseer/echo/report.h"

namespace virtseer::store {

/// The tables that a guest told at one time, as they stand in the database: FORMAT.md, "Values".
std::string tablesValue(std::span<const echo::Table> tables);

/// Nothing if the bytes are damaged. Bounded, whatever the bytes are.
std::optional<std::vector<echo::Table>> parseTablesValue(std::string_view value);

}  // namespace virtseer::store
