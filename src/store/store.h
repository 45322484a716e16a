#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/event_log.h"
#include "store/series_store.h"
#include "store/table_log.h"

namespace virtseer::store {

struct StoreOptions {
  std::filesystem::path directory;
  std::uint32_t rows_per_chunk = 120;
  std::size_t max_unwritten_bytes = 64u << 20;  ///< rows kept in memory while writing fails
  std::size_t cache_bytes = 16u << 20;
};

/// Everything that lasts: one RocksDB and one journal in one directory.
class Store {
 public:
  virtual ~Store() = default;
  virtual SeriesStore& series() = 0;
  virtual EventLog& events() = 0;
  virtual Settings& settings() = 0;
  virtual TableLog& tables() = 0;

  /// Bytes on disk without the journal, measured now; may block, any thread.
  virtual std::uint64_t measureDisk() const = 0;

  /// What was noticed while opening (journal tail torn, store set aside to PATH, ...), for the log
  /// and the event list.
  virtual std::vector<std::string> remarks() const = 0;
};

/// Opens or creates the store and replays its journal. Blocks.
///
/// A store whose files are damaged beyond opening is renamed to `<name>.set-aside-<time>` beside
/// itself (never deleted), a new one is begun, and remarks() says so. A store that cannot be opened
/// for another reason (another process has it, no right, no space, read-only) is left alone: the
/// Error says which.
Result<std::unique_ptr<Store>> openStore(const StoreOptions& options, Timestamp now);

/// A store in memory alone: the fake of the contract suite, and what the daemon falls back to while
/// the real one does not open. Keeps the last `rows` rows of each stream and the last 10 000
/// events.
std::unique_ptr<Store> memoryStore(std::size_t rows);

}  // namespace virtseer::store
