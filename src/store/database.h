#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace virtseer::store {

/// The column families of the database; their names stand in FORMAT.md.
enum class Family : std::uint8_t {
  index,
  chunks,
  rollups,
  events,
  profiles,
  models,
  operations,
  settings,
  tables,
};
inline constexpr std::size_t kFamilies = 9;

/// A value to be put, or with nothing in `value` a key to be erased.
struct Change {
  Family family;
  std::string key;
  std::optional<std::string> value;
};

/// Walks through one family in order of the keys. A cursor sees the database as it was when it was
/// made. One thread.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual void seek(std::string_view key) = 0;         ///< to the first key that is not below
  virtual void seekForPrev(std::string_view key) = 0;  ///< to the last key that is not above
  virtual void toLast() = 0;
  virtual void next() = 0;
  virtual void prev() = 0;
  /// False at the ends and after a failure.
  virtual bool valid() const = 0;
  virtual std::string_view key() const = 0;    ///< until the next move
  virtual std::string_view value() const = 0;  ///< until the next move
  /// Why valid() is false, if not because of an end. Code::corrupt: the block here is damaged.
  virtual Result<void> status() const = 0;
};

/// The one RocksDB. All functions block and may be called on any thread.
class Database {
 public:
  virtual ~Database() = default;

  /// Applies all changes or none. `sync`: they are on the disk when this returns. After a failure
  /// every further write first opens the database again, which has to wait for its cursors to go.
  virtual Result<void> write(std::span<const Change> changes, bool sync) = 0;

  /// Erases all keys with from <= key < to, not synced. Fails as write() does.
  virtual Result<void> erase(Family family, std::string_view from, std::string_view to) = 0;

  virtual std::unique_ptr<Cursor> cursor(Family family) const = 0;

  /// Bytes of its files, measured now.
  virtual std::uint64_t diskBytes() const = 0;
};

/// Opens or creates the database in `directory`. Code::corrupt: its files are damaged beyond
/// opening.
Result<std::shared_ptr<Database>> openDatabase(const std::filesystem::path& directory,
                                               std::size_t cache_bytes);

}  // namespace virtseer::store
