#include "store/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <atomic>
#include <vector>

namespace virtseer::store {
namespace {

constexpr std::array<const char*, kFamilies> kNames{"index",    "chunks", "rollups",    "events",
                                                    "profiles", "models", "operations", "settings"};

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

class RocksCursor final : public Cursor {
 public:
  explicit RocksCursor(rocksdb::Iterator* iterator) : iterator_(iterator) {}
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
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksDatabase final : public Database {
 public:
  RocksDatabase(rocksdb::DB* db, std::vector<rocksdb::ColumnFamilyHandle*> handles,
                std::filesystem::path directory)
      : db_(db), handles_(std::move(handles)), directory_(std::move(directory)) {}
  ~RocksDatabase() override {
    for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
    db_->Close();
  }

  Result<void> write(std::span<const Change> changes, bool sync) override {
    if (broken_.exchange(false)) {
      if (const auto status = db_->Resume(); !status.ok()) {
        broken_ = true;
        return resultOf(status);
      }
    }
    rocksdb::WriteBatch batch;
    for (const Change& change : changes) {
      auto* family = handles_[static_cast<std::size_t>(change.family)];
      if (change.value) {
        batch.Put(family, slice(change.key), slice(*change.value));
      } else {
        batch.Delete(family, slice(change.key));
      }
    }
    rocksdb::WriteOptions options;
    options.sync = sync;
    const auto status = db_->Write(options, &batch);
    if (!status.ok()) broken_ = true;
    return resultOf(status);
  }

  std::unique_ptr<Cursor> cursor(Family family) const override {
    rocksdb::ReadOptions options;
    // Chunks carry checksums of their own, by groups of columns: a reader of one column does not
    // pay for the others.
    options.verify_checksums = family != Family::chunks;
    return std::make_unique<RocksCursor>(
        db_->NewIterator(options, handles_[static_cast<std::size_t>(family)]));
  }

  std::uint64_t diskBytes() const override {
    std::uint64_t bytes = 0;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(directory_, ignored)) {
      const auto size = entry.file_size(ignored);
      if (!ignored) bytes += size;
    }
    return bytes;
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // the known families first, in their order
  std::filesystem::path directory_;
  std::atomic<bool> broken_ = false;
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
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1u << 20;
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
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

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
    if (std::find_if(families.begin(), families.end(), known) == families.end()) {
      families.emplace_back(name, familyOptions(name, cache));
    }
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, directory.string(), families, &handles, &db);
  if (status.IsPathNotFound()) return fail(Code::corrupt, errorOf(status).message);
  if (!status.ok()) return fail(errorOf(status));
  return std::make_shared<RocksDatabase>(db, std::move(handles), directory);
}

}  // namespace virtseer::store
