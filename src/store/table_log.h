#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "virtseer/echo/report.h"
#include "virtseer/uuid.h"

namespace virtseer::store {

/// A table that a guest told, and when.
struct KeptTable {
  Timestamp time;
  echo::Table table;

  bool operator==(const KeptTable&) const = default;
};

/// Which tables are asked for: of each name the newest with at - back < time <= at.
struct TableQuery {
  Uuid vm;
  Timestamp at;
  Millis back = std::chrono::hours(24);
  std::string name = {};  ///< empty: all
};

/// Tables of guests over time. append() is for the loop's thread and does not block. What the
/// others return blocks: run it on a pool. They do not have what the journal promises: a table that
/// was appended is on its way, a kill of the daemon may still take the latest ones.
class TableLog {
 public:
  virtual ~TableLog() = default;
  /// Keeps them in memory until they are written. Times of a VM rise.
  virtual void append(Uuid vm, Timestamp time, std::vector<echo::Table> tables) = 0;
  /// A job that writes what was appended since, or an empty function if there is nothing.
  virtual std::function<Result<void>()> writer() = 0;
  /// A job that finds tables, unwritten ones included, by name.
  virtual std::function<Result<std::vector<KeptTable>>()> finder(TableQuery query) const = 0;
  /// A job that removes what is older, whoever told it. Only one at a time, and beside no writer().
  virtual std::function<Result<void>()> sweeper(Timestamp before) = 0;
  /// Tables lost since the start because they could not be written for too long.
  virtual std::uint64_t dropped() const = 0;
};

}  // namespace virtseer::store
