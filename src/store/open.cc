#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "store/durable_events.h"
#include "store/durable_series.h"
#include "store/durable_tables.h"
#include "store/files.h"
#include "store/store.h"

namespace virtseer::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormat = "virtseer store 1\n";
constexpr std::size_t kProbeBytes = 64u << 10;

class DurableStore final : public Store {
 public:
  explicit DurableStore(Descriptor lock) : lock_(std::move(lock)) {}

  Result<void> open(const StoreOptions& options, Timestamp now) {
    auto database = openDatabase(options.directory / "db", options.cache_bytes);
    if (!database) return fail(database.error());
    database_ = std::move(*database);
    auto events = openEvents(database_);
    if (!events) return fail(events.error());
    events_ = std::move(*events);
    auto settings = openSettings(database_);
    if (!settings) return fail(settings.error());
    settings_ = std::move(*settings);
    tables_ = openTables(database_);
    series_ = std::make_unique<DurableSeries>(options, database_, options.directory / "journal");
    if (auto restored = series_->restore(now, remarks_); !restored) return restored;
    measureDisk();
    return {};
  }
  void addRemark(std::string remark) { remarks_.insert(remarks_.begin(), std::move(remark)); }

  SeriesStore& series() override { return *series_; }
  EventLog& events() override { return *events_; }
  Settings& settings() override { return *settings_; }
  TableLog& tables() override { return *tables_; }
  std::uint64_t measureDisk() const override {
    const std::uint64_t bytes = database_->diskBytes();
    series_->setDiskBytes(bytes);
    return bytes;
  }
  std::vector<std::string> remarks() const override { return remarks_; }

 private:
  Descriptor lock_;  // released last
  std::shared_ptr<Database> database_;
  std::unique_ptr<DurableSeries> series_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<TableLog> tables_;
  std::vector<std::string> remarks_;
};

/// What a person can do about it.
std::string_view advice(Code code) {
  switch (code) {
    case Code::full:
      return "make room there or raise the quota; nothing was changed";
    case Code::refused:
      return "let the daemon's user own and write this directory, on a file system that is mounted "
             "for writing; nothing was changed";
    case Code::busy:
      return "end the other process, or give this one a directory of its own";
    case Code::unsupported:
      return "start the version that wrote it, or name another directory";
    default:
      return "look at the file system and the system's log; nothing was changed";
  }
}

Error explained(const Error& error, const fs::path& directory) {
  return {error.code,
          fmt::format("store {}: {}; {}", directory.string(), error.message, advice(error.code))};
}

Result<Descriptor> takeLock(const fs::path& directory) {
  const auto path = directory / "lock";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.open()) return fail(systemError(path.string(), errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(Code::busy, "another process has it open");
    return fail(systemError(path.string(), errno));
  }
  // The directory may have been set aside between the two calls.
  struct stat held{}, named{};
  if (::fstat(file.get(), &held) != 0 || ::stat(path.c_str(), &named) != 0 ||
      held.st_ino != named.st_ino || held.st_dev != named.st_dev) {
    return fail(Code::busy, "another process is setting it aside");
  }
  return file;
}

/// Finds out by writing whether there is room and a right to write.
Result<void> probe(const fs::path& directory) {
  const auto path = directory / "probe";
  ::unlink(path.c_str());
  auto written = writeNewFile(path, std::string(kProbeBytes, '\0'));
  ::unlink(path.c_str());
  return written;
}

/// Code::corrupt if what stands there is no store of any version.
Result<void> checkFormat(const fs::path& directory) {
  const auto path = directory / "FORMAT";
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (error) return fail(systemError(path.string(), error.value()));
    if (fs::exists(directory / "db" / "CURRENT", error)) {
      return fail(Code::corrupt, "the file FORMAT is missing");
    }
    return writeNewFile(path, kFormat);
  }
  const auto text = readFile(path, 4096);
  if (!text) {
    return text.error().code == Code::invalid ? fail(Code::corrupt, text.error().message)
                                              : fail(text.error());
  }
  if (*text == kFormat) return {};
  if (text->starts_with("virtseer store ") && text->size() < 40 && text->ends_with('\n')) {
    return fail(Code::unsupported, "it was written by another version of virtseer");
  }
  return fail(Code::corrupt, "the file FORMAT is damaged");
}

Result<std::unique_ptr<Store>> openLocked(const StoreOptions& options, Timestamp now,
                                          Descriptor& lock, std::string remark) {
  const auto& directory = options.directory;
  if (auto writable = probe(directory); !writable) return fail(writable.error());
  if (auto known = checkFormat(directory); !known) return fail(known.error());
  std::error_code error;
  for (const char* part : {"db", "journal"}) {
    fs::create_directory(directory / part, error);
    if (error) return fail(systemError((directory / part).string(), error.value()));
  }
  Descriptor held(::fcntl(lock.get(), F_DUPFD_CLOEXEC, 0));
  if (!held.open()) return fail(systemError((directory / "lock").string(), errno));
  auto store = std::make_unique<DurableStore>(std::move(held));
  if (auto opened = store->open(options, now); !opened) return fail(opened.error());
  if (!remark.empty()) store->addRemark(std::move(remark));
  return store;
}

Result<fs::path> setAside(const fs::path& directory, Timestamp now) {
  std::string stamp = rfc3339(now);
  std::erase(stamp, ':');
  for (int attempt = 0; attempt < 100; ++attempt) {
    fs::path aside = directory;
    aside += ".set-aside-" + stamp + (attempt == 0 ? "" : fmt::format("-{}", attempt));
    std::error_code error;
    if (fs::exists(aside, error)) continue;
    fs::rename(directory, aside, error);
    if (error) return fail(systemError(aside.string(), error.value()));
    return aside;
  }
  return fail(Code::failed, "there are too many stores set aside already");
}

Result<Descriptor> makeAndLock(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(systemError(directory.string(), error.value()));
  return takeLock(directory);
}

}  // namespace

Result<std::unique_ptr<Store>> openStore(const StoreOptions& options, Timestamp now) {
  StoreOptions own = options;
  // A trailing slash would put the directory that is set aside into itself.
  own.directory = (fs::absolute(options.directory) / "").lexically_normal().parent_path();
  auto lock = makeAndLock(own.directory);
  if (!lock) return fail(explained(lock.error(), own.directory));
  auto store = openLocked(own, now, *lock, "");
  if (store || store.error().code != Code::corrupt) {
    return store ? std::move(store) : fail(explained(store.error(), own.directory));
  }
  const auto aside = setAside(own.directory, now);
  if (!aside) return fail(explained(aside.error().in(store.error().message), own.directory));
  auto remark =
      fmt::format("the store was damaged ({}) and was set aside to {}; a new one is begun",
                  store.error().message, aside->string());
  lock = makeAndLock(own.directory);
  if (!lock) return fail(explained(lock.error(), own.directory));
  store = openLocked(own, now, *lock, std::move(remark));
  if (!store) return fail(explained(store.error(), own.directory));
  return store;
}

}  // namespace virtseer::store
