#include "store/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "store/files.h"

namespace virtseer::store {
namespace {

constexpr std::array<const char*, kFamilies> kNames{"index",      "chunks",   "rollups",
                                                    "events",     "profiles", "models",
                                                    "operations", "settings", "tables"};

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

Error errorOf(const rocksdb::Status& status) {
  const std::string text = "database: " + status.ToString();
  // RocksDB keeps the errno of these only as text.
  if (status.IsNoSpace() || text.find("File too large") != std::string::npos ||
      text.find("quota exceeded") != std::string::npos) {
    return {Code::full, text};
  }
  if (status.IsCorruption()) return {Code::corrupt, text};
  if (status.IsBusy()) return {Code::busy, text};
  if (text.find("Permission denied") != std::string::npos ||
      text.find("Read-only file system") != std::string::npos) {
    return {Code::refused, text};
  }
  return {Code::failed, text};
}

Result<void> resultOf(const rocksdb::Status& status) {
  if (status.ok()) return {};
  return fail(errorOf(status));
}

/// RocksDB's own log file is written on the disk that may be full, and Debian's build ends the
/// program at the first line after one that failed. What matters comes back as a status.
class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::DBOptions databaseOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = 128;
  options.max_file_opening_threads = 1;
  options.db_write_buffer_size = 8u << 20;
  options.max_total_wal_size = 32u << 20;
  options.manifest_preallocation_size = 64u << 10;
  options.max_manifest_file_size = 4u << 20;
  options.info_log = std::make_shared<SilentLogger>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  return options;
}

rocksdb::ColumnFamilyOptions familyOptions(std::string_view family,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.format_version = 5;
  table.block_size = 16u << 10;
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 1u << 20;
  options.arena_block_size = 64u << 10;
  options.compression = rocksdb::kZSTD;
  if (family == "chunks" || family == "rollups") {
    // Their values are packed already, and each is to lie in a block of its own.
    options.compression = rocksdb::kNoCompression;
    options.write_buffer_size = 4u << 20;
    table.block_size = 4u << 10;
  }
  if (family == "tables") options.compression = rocksdb::kNoCompression;  // each is by itself
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

/// An open RocksDB, closed when the last of its users lets go.
struct Opened {
  Opened() = default;
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() {
    if (!db) return;
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
    db->Close();
  }
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles[static_cast<std::size_t>(family)];
  }

  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;  // the known families first, in their order
};

Result<std::shared_ptr<const Opened>> open(const std::filesystem::path& directory,
                                           std::size_t cache_bytes) {
  const auto options = databaseOptions();
  std::vector<std::string> names;
  std::error_code ignored;
  if (std::filesystem::exists(directory / "CURRENT", ignored)) {
    const auto listed = rocksdb::DB::ListColumnFamilies(options, directory.string(), &names);
    if (listed.IsPathNotFound()) return fail(Code::corrupt, errorOf(listed).message);
    if (!listed.ok()) return fail(errorOf(listed));
  }
  const auto cache = rocksdb::NewLRUCache(cache_bytes, 2);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : kNames) families.emplace_back(name, familyOptions(name, cache));
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, familyOptions("default", cache));
  for (const std::string& name : names) {
    // Families of a later version are opened too, since RocksDB wants all, and left alone.
    const auto known = [&](const auto& family) { return family.name == name; };
    if (std::ranges::none_of(families, known)) {
      families.emplace_back(name, familyOptions(name, cache));
    }
  }
  auto opened = std::make_shared<Opened>();
  rocksdb::DB* db = nullptr;
  const auto status =
      rocksdb::DB::Open(options, directory.string(), families, &opened->handles, &db);
  if (status.IsPathNotFound()) return fail(Code::corrupt, errorOf(status).message);
  if (!status.ok()) return fail(errorOf(status));
  opened->db.reset(db);
  return opened;
}

class RocksCursor final : public Cursor {
 public:
  RocksCursor(std::shared_ptr<const Opened> opened, rocksdb::Iterator* iterator)
      : opened_(std::move(opened)), iterator_(iterator) {}
  void seek(std::string_view key) override { iterator_->Seek(slice(key)); }
  void seekForPrev(std::string_view key) override { iterator_->SeekForPrev(slice(key)); }
  void toLast() override { iterator_->SeekToLast(); }
  void next() override { iterator_->Next(); }
  void prev() override { iterator_->Prev(); }
  bool valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return view(iterator_->key()); }
  std::string_view value() const override { return view(iterator_->value()); }
  Result<void> status() const override { return resultOf(iterator_->status()); }

 private:
  std::shared_ptr<const Opened> opened_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

/// What is read while the database could not be opened again: nothing, and why.
class ClosedCursor final : public Cursor {
 public:
  explicit ClosedCursor(Error why) : why_(std::move(why)) {}
  void seek(std::string_view) override {}
  void seekForPrev(std::string_view) override {}
  void toLast() override {}
  void next() override {}
  void prev() override {}
  bool valid() const override { return false; }
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  Result<void> status() const override { return fail(why_); }

 private:
  Error why_;
};

class RocksDatabase final : public Database {
 public:
  RocksDatabase(std::shared_ptr<const Opened> opened, std::filesystem::path directory,
                std::size_t cache_bytes)
      : opened_(std::move(opened)), directory_(std::move(directory)), cache_bytes_(cache_bytes) {}

  Result<void> write(std::span<const Change> changes, bool sync) override {
    return apply(sync, [&](const Opened& opened, rocksdb::WriteBatch& batch) {
      for (const Change& change : changes) {
        if (change.value) {
          batch.Put(opened.handle(change.family), slice(change.key), slice(*change.value));
        } else {
          batch.Delete(opened.handle(change.family), slice(change.key));
        }
      }
    });
  }

  Result<void> erase(Family family, std::string_view from, std::string_view to) override {
    return apply(false, [&](const Opened& opened, rocksdb::WriteBatch& batch) {
      batch.DeleteRange(opened.handle(family), slice(from), slice(to));
    });
  }

  std::unique_ptr<Cursor> cursor(Family family) const override {
    auto opened = current();
    if (!opened) return std::make_unique<ClosedCursor>(Error{Code::busy, "database: is closed"});
    rocksdb::ReadOptions options;
    // Chunks carry checksums of their own, by groups of columns: a reader of one column does not
    // pay for the others.
    options.verify_checksums = family != Family::chunks;
    auto* iterator = opened->db->NewIterator(options, opened->handle(family));
    return std::make_unique<RocksCursor>(std::move(opened), iterator);
  }

  std::uint64_t diskBytes() const override { return fileBytes(""); }

 private:
  std::shared_ptr<const Opened> current() const {
    const std::lock_guard lock(mutex_);
    return opened_;
  }

  template <class Fill>
  Result<void> apply(bool sync, Fill fill) {
    const std::lock_guard one_writer(writing_);
    if (broken_) {
      if (auto again = reopen(); !again) return again;
    }
    const auto opened = current();
    rocksdb::WriteBatch batch;
    fill(*opened, batch);
    rocksdb::WriteOptions options;
    options.sync = sync;
    const auto result = resultOf(opened->db->Write(options, &batch));
    if (!result) broken_ = result.error();
    return result;
  }

  /// Bytes of the files with this extension; of all, if it is empty.
  std::uint64_t fileBytes(std::string_view extension) const {
    std::uint64_t bytes = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory_, error), end; !error && at != end;
         at.increment(error)) {
      std::error_code gone;
      const auto size = at->file_size(gone);
      if (!gone && (extension.empty() || at->path().extension() == extension)) bytes += size;
    }
    return bytes;
  }

  /// RocksDB 7 does not get over a failed write of its log (and Debian's build ends the program
  /// when it is written again): the database is closed and opened again, once there is room for it.
  Result<void> reopen() {
    const auto room = directory_ / "probe";
    ::unlink(room.c_str());
    auto probed = reserveFile(room, fileBytes(".log") + kSpareBytes);
    ::unlink(room.c_str());
    if (!probed) return probed;
    const std::lock_guard lock(mutex_);
    if (opened_.use_count() > 1) return fail(*broken_);
    opened_.reset();
    auto again = open(directory_, cache_bytes_);
    if (!again) return fail(again.error());
    opened_ = std::move(*again);
    broken_.reset();
    return {};
  }

  static constexpr std::uint64_t kSpareBytes = 1u << 20;

  std::mutex writing_;
  std::optional<Error> broken_;  // the failure after which it has to be opened again
  mutable std::mutex mutex_;     // of what follows
  std::shared_ptr<const Opened> opened_;
  std::filesystem::path directory_;
  std::size_t cache_bytes_;
};

/// A database that lost the file which names its parts would be begun anew over the old parts.
bool lostItsRoot(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (std::filesystem::exists(directory / "CURRENT", ignored)) return false;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".sst") return true;
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<Database>> openDatabase(const std::filesystem::path& directory,
                                               std::size_t cache_bytes) {
  if (lostItsRoot(directory)) {
    return fail(Code::corrupt, "database: tables are there, but the file CURRENT is missing");
  }
  auto opened = open(directory, cache_bytes);
  if (!opened) return fail(opened.error());
  return std::make_shared<RocksDatabase>(std::move(*opened), directory, cache_bytes);
}

}  // namespace virtseer::store
