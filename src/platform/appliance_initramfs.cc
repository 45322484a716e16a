#include "platform/appliance_initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>

namespace virtseer::platform {
namespace {

struct FreeArchive {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

/// Writes one member after another; the first failure stays.
class Cpio {
 public:
  Cpio() : archive_(archive_write_new()) {
    check(archive_write_set_format_cpio_newc(archive_.get()));
    check(archive_write_add_filter_gzip(archive_.get()));
    check(archive_write_set_options(archive_.get(), "gzip:compression-level=9,gzip:!timestamp"));
    check(archive_write_open2(archive_.get(), &bytes_, nullptr, &Cpio::append, nullptr, nullptr));
  }

  void folder(const char* path, unsigned mode = 0755) { member(path, AE_IFDIR, mode, {}); }
  void file(const std::string& path, unsigned mode, std::string_view bytes) {
    member(path.c_str(), AE_IFREG, mode, bytes);
  }
  void link(const char* path, const char* to) {
    Entry entry = made(path, AE_IFLNK, 0777);
    archive_entry_set_symlink(entry.get(), to);
    check(archive_write_header(archive_.get(), entry.get()));
  }
  void console() {
    Entry entry = made("dev/console", AE_IFCHR, 0600);
    archive_entry_set_rdevmajor(entry.get(), 5);
    archive_entry_set_rdevminor(entry.get(), 1);
    check(archive_write_header(archive_.get(), entry.get()));
  }

  Result<std::string> finish() {
    check(archive_write_close(archive_.get()));
    if (!fault_.empty()) return fail(Code::failed, "initramfs: " + fault_);
    return std::move(bytes_);
  }

 private:
  static la_ssize_t append(archive*, void* to, const void* from, std::size_t size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(from), size);
    return static_cast<la_ssize_t>(size);
  }
  static Entry made(const char* path, unsigned type, unsigned mode) {
    Entry entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), path);
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), mode);
    archive_entry_set_nlink(entry.get(), type == AE_IFDIR ? 2 : 1);
    archive_entry_set_mtime(entry.get(), 0, 0);
    archive_entry_set_size(entry.get(), 0);
    return entry;
  }
  void member(const char* path, unsigned type, unsigned mode, std::string_view bytes) {
    Entry entry = made(path, type, mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    check(archive_write_header(archive_.get(), entry.get()));
    if (bytes.empty() || !fault_.empty()) return;
    const la_ssize_t written = archive_write_data(archive_.get(), bytes.data(), bytes.size());
    if (written != static_cast<la_ssize_t>(bytes.size())) check(ARCHIVE_FATAL);
  }
  void check(int status) {
    if (status == ARCHIVE_OK || !fault_.empty()) return;
    const char* why = archive_error_string(archive_.get());
    fault_ = why ? why : "cannot be written";
  }

  std::string bytes_, fault_;
  std::unique_ptr<archive, FreeArchive> archive_;
};

}  // namespace

Result<std::string> initramfs(std::string_view agent, const std::vector<InitramfsModule>& modules) {
  Cpio cpio;
  for (const char* path : {"proc", "sys", "dev", "run", "data", "lib", "lib/modules"})
    cpio.folder(path);
  cpio.folder("tmp", 01777);
  // The kernel opens it for /init's standard streams before anything is mounted.
  cpio.console();
  cpio.file("init", 0755, agent);
  cpio.link("virtseer-agent", "init");
  std::string order;
  for (const auto& [name, bytes] : modules) {
    cpio.file(fmt::format("lib/modules/{}.ko", name), 0644, bytes);
    order += fmt::format("/lib/modules/{}.ko\n", name);
  }
  cpio.file("lib/modules/order", 0644, order);
  return cpio.finish();
}

}  // namespace virtseer::platform
