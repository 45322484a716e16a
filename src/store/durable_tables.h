#pragma once

#include <memory>

#include "store/database.h"
#include "store/table_log.h"

namespace virtseer::store {

/// Cells of tables not yet written that are kept; the oldest tables go first, and are counted.
inline constexpr std::size_t kMaxUnwrittenCells = std::size_t{1} << 20;

/// The tables of the database, and those that wait to be written.
std::unique_ptr<TableLog> openTables(std::shared_ptr<Database> database);

/// Tables in memory alone: the last 64 of each VM.
std::unique_ptr<TableLog> memoryTables();

}  // namespace virtseer::store
